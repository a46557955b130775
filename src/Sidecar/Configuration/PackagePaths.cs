namespace FleetSidecar.Configuration;

/// <summary>What belongs together by the package's own paths. Pure.</summary>
internal static class PackagePaths
{
    private const string Instances = "/etc/fleet-sidecar/instances/", State = "/var/lib/fleet-sidecar";

    /// <summary>The unit of a configuration file; null for a file that is none of the package's.</summary>
    public static string? UnitOf(string configFile) => configFile switch
    {
        ConfigLoader.DefaultPath => "fleet-sidecar.service",
        _ when configFile.StartsWith(Instances, StringComparison.Ordinal) && configFile[Instances.Length..].Split('/') is [{ Length: > 0 } name, "sidecar.json"] => $"fleet-sidecar@{name}.service",
        _ => null,
    };

    /// <summary>The state directory of an instance's configuration file; null for every other file, whose default is the default.</summary>
    public static string? StateOf(string configFile) =>
        configFile.StartsWith(Instances, StringComparison.Ordinal) && configFile[Instances.Length..].Split('/') is [{ Length: > 0 } name, "sidecar.json"] ? $"{State}/instances/{name}" : null;

    /// <summary>Where the dead man's switch keeps its own: never inside the state directory, which the daemon's user owns.</summary>
    public static string DeadmanOf(string stateDirectory)
    {
        var plain = stateDirectory.TrimEnd('/');
        return plain == State || plain.StartsWith(State + "/", StringComparison.Ordinal) ? $"{State}-deadman{plain[State.Length..]}" : $"{plain}-deadman";
    }
}
