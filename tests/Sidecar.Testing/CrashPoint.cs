namespace FleetSidecar.Testing;

/// <summary>A place where the sidecar stops, so that a test can kill it, or somebody else, at exactly that moment.</summary>
public sealed class CrashPoint
{
    private readonly string _directory;

    public CrashPoint(TempDir directory, string name)
    {
        _directory = Directory.CreateDirectory(directory[$"crash-{name}"]).FullName;
        Environment = new Dictionary<string, string?> { ["FLEET_CRASH_POINT"] = name, ["FLEET_CRASH_DIR"] = _directory };
    }

    public IReadOnlyDictionary<string, string?> Environment { get; }

    public Task ReachedAsync() => Wait.UntilAsync(() => File.Exists(Path.Combine(_directory, "reached")), $"the crash point {Path.GetFileName(_directory)}");

    public void Release() => File.WriteAllText(Path.Combine(_directory, "go"), "");
}
