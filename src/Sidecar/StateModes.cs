using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar;

/// <summary>Who may look into the state directory, whatever the umask was that the daemon was started with, and that its parts are there.</summary>
internal static class StateModes
{
    // Runs begin side by side.
    private static readonly Lock Turn = new();

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

        Try(() => GiveUpForeign(In(config, "results")));
        foreach (var path in Closed(config))
        {
            PrivateDirectory.Make(path);
        }

        // Versions of the fleet's code lie below it, which an agent of another user may have to enter.
        ClearPlace.For(In(config, "identity"));
        Directory.CreateDirectory(In(config, "identity"), Enterable);
        PrivateDirectory.Allow(In(config, "identity"), Enterable);
    }

    /// <summary>Makes parts again that were removed or replaced while the daemon lives: an agent is given some of them, and may tidy up, or hand one to a container. A directory stays, and so does a link; where results are left, a link that leads nowhere makes way.</summary>
    public static void MakeAgain(SidecarConfig config)
    {
        if (config.AgentsInUnits || PathFacts.Of(config.DatabaseFile) is null)
        {
            return; // In units each run has its own. Without a store the disk is away, and what is made now would lie below its place.
        }

        lock (Turn)
        {
            var results = In(config, "results");
            Try(() => GiveUpForeign(results));
            foreach (var path in Closed(config).Where(path => path == results ? !Directory.Exists(path) : PathFacts.Of(path) is not { Kind: PathKind.Directory or PathKind.Link }))
            {
                Try(() => PrivateDirectory.Make(path));
            }

            if (config.Agent.ResultsDirectory is { } elsewhere && PathFacts.Of(elsewhere) is null && Directory.Exists(Path.GetDirectoryName(elsewhere)))
            {
                Try(() => Directory.CreateDirectory(elsewhere));
            }
        }
    }

    private static void Try(Action make)
    {
        try
        {
            make();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // What needs it says so.
        }
    }

    // An agent that gave it to a container's user closed it to us and to every other agent. What lies in it is that user's.
    private static void GiveUpForeign(string results)
    {
        if (PathFacts.Of(results) is { Kind: PathKind.Directory } facts && facts.Owner != UnixAccounts.Self && FileAccessCheck.Obstacle(results) is not null)
        {
            ClearPlace.Rename(results, facts);
        }
    }

    private static string[] Closed(SidecarConfig config) =>
        [config.RunsDirectory, config.WorkspacesDirectory, config.MirrorsDirectory, In(config, "results"), In(config, "logs"), In(config, "supervise")];

    private static string In(SidecarConfig config, string name) => Path.Combine(config.StateDirectory, name);
}
