using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>Where the dead man's switch keeps what it remembers: on disk, and while that cannot be written in the runtime directory.</summary>
/// <remarks>A full disk or one that has become read-only is a reason for daemons to die, so the switch must not need it: without
/// memory it would restart for ever, or never.</remarks>
internal sealed class DeadmanMemory(string home, string? whileDiskFails)
{
    private const UnixFileMode Directories = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public static DeadmanMemory Of(string configFile, string stateDirectory) => new(PackagePaths.DeadmanOf(configFile, stateDirectory), PackagePaths.DeadmanRuntimeOf(configFile));

    /// <summary>One pass at a time: the timer's and one by hand.</summary>
    /// <exception cref="ConfigurationException">Another one is at it, or no place can be written.</exception>
    public DirectoryLock Take()
    {
        var place = whileDiskFails ?? home;
        Make(place);
        return DirectoryLock.Take(place);
    }

    /// <summary>What is known, from wherever it was written last; null where no dead man's switch ran here, or nothing makes sense.</summary>
    public DeadmanState? Read() => Places.Select(place => DeadmanState.Read(DeadmanState.FileIn(place))).OfType<DeadmanState>().MaxBy(state => state.CheckedAtUnixMs);

    /// <exception cref="SidecarException">No place can be written.</exception>
    public void Write(DeadmanState state)
    {
        string? problem = null;
        foreach (var place in Places)
        {
            try
            {
                Make(place);
                state.Write(DeadmanState.FileIn(place));
                return;
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                problem ??= fault.Message;
            }
        }

        throw new SidecarException($"the dead man's switch cannot remember anything: {problem}", $"mend {home}; until then it does nothing");
    }

    private IEnumerable<string> Places => whileDiskFails is null ? [home] : [home, whileDiskFails];

    // Its reader is the daemon's user, whatever the umask of a timer's unit.
    private static void Make(string place)
    {
        if (!Directory.Exists(place))
        {
            Directory.CreateDirectory(place);
            File.SetUnixFileMode(place, Directories);
            if (Path.GetDirectoryName(place) is { } parent && Path.GetFileName(parent) == "instances")
            {
                File.SetUnixFileMode(parent, Directories);
            }
        }
    }
}
