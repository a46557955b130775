namespace FleetSidecar.Configuration;

/// <summary>What belongs together by the package's own paths.</summary>
internal static class PackagePaths
{
    /// <summary>The package's state directory: <c>fleet-agent@.service</c> and its helpers have it in their text.</summary>
    public const string State = "/var/lib/fleet-sidecar";

    // Beside the state directory: the service manager gives these directories to the daemon's user, and whoever owns a parent
    // could put a link in the place of one.
    private const string InstanceStates = State + "-instances";

    private const string Runtime = "/run/fleet-sidecar";

    /// <summary>Where the instances of a machine have their directories.</summary>
    public const string InstancesDirectory = "/etc/fleet-sidecar/instances";

    /// <summary>The unit of a configuration file; null for a file that is none of the package's.</summary>
    public static string? UnitOf(string configFile) => NameOf(configFile) switch { null => null, "" => "fleet-sidecar.service", var name => $"fleet-sidecar@{name}.service" };

    /// <summary>The state directory of an instance's configuration file; null for every other file, whose default is the default.</summary>
    public static string? StateOf(string configFile) => NameOf(configFile) is { Length: > 0 } name ? $"{InstanceStates}/{name}" : null;

    /// <summary>Whether the units of agents find a run's directories below this state directory: it is the package's own, or that of an instance.</summary>
    public static bool IsState(string stateDirectory) =>
        Path.GetFullPath(stateDirectory).TrimEnd('/') == State || InstanceOf(stateDirectory).Length > 0;

    /// <summary>The instance whose state directory it is; empty for every other directory.</summary>
    public static string InstanceOf(string stateDirectory) =>
        stateDirectory.StartsWith(InstanceStates + "/", StringComparison.Ordinal) && stateDirectory[(InstanceStates.Length + 1)..].TrimEnd('/') is { Length: > 0 } name && IsInstanceName(name) ? name : "";

    /// <summary>Whether this machine has an instance of this name.</summary>
    public static bool HasInstance(string name) => Directory.Exists($"{InstanceStates}/{name}");

    /// <summary>The runtime directory of its unit; null for a file that is none of the package's.</summary>
    public static string? RuntimeOf(string configFile) => NameOf(configFile) switch { null => null, "" => Runtime, var name => $"{Runtime}-{name}" };

    /// <summary>The same for a file elsewhere that names the package's state directory.</summary>
    public static string? RuntimeOfState(string stateDirectory, string instance) =>
        !stateDirectory.StartsWith(State, StringComparison.Ordinal) ? null : instance.Length > 0 ? $"{Runtime}-{instance}" : Runtime;

    /// <summary>Where the dead man's switch keeps its own: never inside the state directory, which the daemon's user owns, and for the package's units not where the configuration says.</summary>
    public static string DeadmanOf(string configFile, string stateDirectory) =>
        NameOf(configFile) is { } name ? Below($"{State}-deadman", name) : $"{stateDirectory.TrimEnd('/')}-deadman";

    /// <summary>Where it keeps its memory while that place cannot be written; null for a file that is none of the package's. Not below the name of any instance's directory, which the daemon's user owns.</summary>
    public static string? DeadmanRuntimeOf(string configFile) => NameOf(configFile) is { } name ? Below("/run/fleet-deadman", name) : null;

    private static string Below(string directory, string name) => name.Length == 0 ? directory : $"{directory}/instances/{name}";

    /// <summary>A word that stands for itself in the name of a unit.</summary>
    public static bool IsInstanceName(string name) => name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-' or '.' or ':') && name[0] is not ('.' or '-');

    // Empty for the machine's only sidecar, an instance's name, or null.
    private static string? NameOf(string configFile) => configFile switch
    {
        ConfigLoader.DefaultPath => "",
        _ when configFile.StartsWith(InstancesDirectory + "/", StringComparison.Ordinal) && configFile[(InstancesDirectory.Length + 1)..].Split('/') is [{ Length: > 0 } name, "sidecar.json"] && IsInstanceName(name) => name,
        _ => null,
    };
}
