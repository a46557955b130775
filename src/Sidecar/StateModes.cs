using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar;

/// <summary>Who may look into the state directory, whatever the umask was that the daemon was started with, and that its parts are there.</summary>
internal static class StateModes
{
    private const UnixFileMode Enterable = PrivateDirectory.Mode | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public static void Set(SidecarConfig config)
    {
        if (config.AgentsInUnits)
        {
            // The service manager keeps others out of the state directory; agents in units read mirrors, orders and
            // their run as another user.
            CreationMask.Set(CreationMask.WriteOfOthers);
            return;
        }

        foreach (var path in Closed(config))
        {
            Make(path);
        }

        // Versions of the fleet's code lie below it, which an agent of another user may have to enter.
        ClearPlace.For(In(config, "identity"));
        Directory.CreateDirectory(In(config, "identity"), Enterable);
        PrivateDirectory.Allow(In(config, "identity"), Enterable);
    }

    /// <summary>Parts that somebody removed, replaced or gave away are made again. An agent is given some of them, and may tidy up, or hand one to a container.</summary>
    public static void MakeAgain(SidecarConfig config)
    {
        foreach (var path in config.AgentsInUnits ? [] : Closed(config))
        {
            try
            {
                Make(path);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // What needs it says so.
            }
        }
    }

    private static string[] Closed(SidecarConfig config) =>
        [config.RunsDirectory, config.WorkspacesDirectory, config.MirrorsDirectory, In(config, "results"), In(config, "logs"), In(config, "supervise")];

    // What is another user's now has the files of that one in it, and is no place of ours. Root may use any.
    private static void Make(string path)
    {
        if (!TrustedPath.IsRoot && PathFacts.Of(path) is { Kind: PathKind.Directory } facts && facts.Owner != UnixAccounts.Self)
        {
            ClearPlace.Rename(path, facts);
        }

        PrivateDirectory.Make(path);
    }

    private static string In(SidecarConfig config, string name) => Path.Combine(config.StateDirectory, name);
}
