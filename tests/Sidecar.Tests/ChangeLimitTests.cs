using FleetSidecar.Ground.Files;

namespace FleetSidecar.Tests;

/// <summary>Where a thread may change files; the kernel keeps it there.</summary>
public sealed class ChangeLimitTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 60_000), Trait("kind", "a file of an agent makes the daemon remove one of its own")]
    public async Task Files_are_made_written_and_removed_there_and_nowhere_else()
    {
        var (inside, outside) = (_directory.Write("inside/there", "x"), _directory.Write("outside/victim", "x"));
        var isLimited = false;
        var faults = new List<Exception?>();
        var limited = new Thread(() =>
        {
            isLimited = ChangeLimit.TrySet(_directory["inside"]);
            faults.AddRange(
            [
                Record.Exception(() => File.Delete(outside)), Record.Exception(() => File.WriteAllText(outside, "y")), Record.Exception(() => File.WriteAllText(_directory["outside/new"], "y")),
                Record.Exception(() => Directory.CreateDirectory(_directory["inside/directory"])),
                Record.Exception(() => File.Delete(inside)), Record.Exception(() => File.WriteAllText(_directory["inside/new"], "y")), Record.Exception(() => File.ReadAllText(outside)),
            ]);
        });
        limited.Start();
        await Task.Run(limited.Join, TestContext.Current.CancellationToken);

        Assert.SkipUnless(isLimited, "this kernel has no Landlock");
        Assert.All(faults[..4], fault => Assert.IsType<UnauthorizedAccessException>(fault));
        Assert.All(faults[4..], Assert.Null);
        Assert.Equal("x", File.ReadAllText(outside));
        File.Delete(outside); // The thread alone.
    }
}
