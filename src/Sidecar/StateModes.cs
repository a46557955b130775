using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar;

/// <summary>Who may look into the state directory, whatever the umask was that the daemon was started with.</summary>
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

        string[] closed =
        [
            config.RunsDirectory, config.WorkspacesDirectory, config.MirrorsDirectory,
            In(config, "results"), In(config, "logs"), In(config, "supervise"),
        ];
        foreach (var path in closed)
        {
            PrivateDirectory.Make(path);
        }

        // Versions of the fleet's code lie below it, which an agent of another user may have to enter.
        ClearPlace.For(In(config, "identity"));
        Directory.CreateDirectory(In(config, "identity"), Enterable);
        PrivateDirectory.Allow(In(config, "identity"), Enterable);
    }

    private static string In(SidecarConfig config, string name) => Path.Combine(config.StateDirectory, name);
}
