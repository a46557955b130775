using FleetSidecar.Agents.Units;

namespace FleetSidecar.Configuration;

/// <summary>Where things are, worked out from the configuration. Not members of it: a key of such a name in the file is an unknown key.</summary>
internal static class SidecarPaths
{
    extension(SidecarConfig config)
    {
        public string DatabaseFile => Path.Combine(config.StateDirectory, "state.db");

        public string RunsDirectory => config.InTree("runs");

        /// <summary>Below the runs: what is removed next.</summary>
        public string RemovingDirectory => Path.Combine(config.RunsDirectory, ".removing");

        /// <summary>What the units of agents are to become: written by the sidecar, read by the unit, and nobody else's to change.</summary>
        public string OrdersDirectory => config.InTree("orders");

        public string WorkspacesDirectory => config.InTree("workspaces");

        public string MirrorsDirectory => config.InTree("mirrors");

        /// <summary>The name of this sidecar where several share a machine: its state directory is then <c>/var/lib/fleet-sidecar-instances/NAME</c>. Empty for the only one.</summary>
        public string Instance => PackagePaths.InstanceOf(config.StateDirectory);

        /// <summary>A run's directories, below those that the sidecars of a machine share: what a unit for its agent is named after.</summary>
        public string InstancePath(string run) => config.Instance.Length > 0 ? $"{config.Instance}/{run}" : run;

        // What agents get to see lies side by side for all sidecars of a machine, so that one template fits every run.
        private string InTree(string kind) => config.Instance is { Length: > 0 } name
            ? Path.Combine(PackagePaths.State, kind, name)
            : Path.Combine(config.StateDirectory, kind);

        public string ResultsDirectory => config.Agent.ResultsDirectory ?? Path.Combine(config.StateDirectory, "results");

        /// <summary>Agents run in units of the service manager.</summary>
        public bool AgentsInUnits => config.Agent.Launcher switch
        {
            AgentLauncherKind.Systemd => true,
            AgentLauncherKind.Process => false,
            _ => AgentUnits.AreOffered,
        };

        /// <summary>Where a run's agent leaves its result files: agents in units see no directory that they share with others.</summary>
        public string ResultsOf(string run) => config.AgentsInUnits ? Path.Combine(config.RunsDirectory, run, "results") : config.ResultsDirectory;

        /// <summary>Whether a path is below the directories that are ours alone: what odd things stand there may be renamed. What an operator names elsewhere is left as it is.</summary>
        public bool IsOwnPlace(string path) =>
            new[] { config.StateDirectory, Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY") ?? "", Environment.GetEnvironmentVariable("LOGS_DIRECTORY") ?? "" }
                .SelectMany(places => places.Split(':')).Any(place => place.Length > 0 && path.StartsWith(place.TrimEnd('/') + "/", StringComparison.Ordinal));

        /// <summary>The runtime directory of the unit where there is one: it is on tmpfs and goes with the daemon.</summary>
        public string SocketFile => config.Control.Socket
            ?? Path.Combine(Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY") is { Length: > 0 } runtime ? runtime : config.UnitRuntimeDirectory ?? config.StateDirectory, "control.sock");

        /// <summary>The socket for agents, beside the operators' one: it speaks for their own run and nothing else.</summary>
        public string AgentSocketFile => Path.Combine(Path.GetDirectoryName(config.SocketFile)!, "agent.sock");

        // Where the packaged unit of this file has its socket, wherever its state is; whoever calls from outside of the unit finds it there.
        private string? UnitRuntimeDirectory =>
            (PackagePaths.RuntimeOf(config.Origin.Path) ?? PackagePaths.RuntimeOfState(config.StateDirectory, config.Instance)) is { } runtime && Directory.Exists(runtime) ? runtime : null;

        public string LogFile => config.Log.File is { } named ? named.Length == 0 ? "" : Path.GetFullPath(named)
            : Path.Combine(Environment.GetEnvironmentVariable("LOGS_DIRECTORY") is { Length: > 0 } logs ? logs.Split(':')[^1] : Path.Combine(config.StateDirectory, "logs"), "sidecar.log");
    }
}
