namespace FleetSidecar.Configuration;

/// <summary>Where things are, worked out from the configuration. Not members of it: a key of such a name in the file is an unknown key.</summary>
internal static class SidecarPaths
{
    extension(SidecarConfig config)
    {
        public string DatabaseFile => Path.Combine(config.StateDirectory, "state.db");

        public string RunsDirectory => Path.Combine(config.StateDirectory, "runs");

        public string ResultsDirectory => config.Agent.ResultsDirectory ?? Path.Combine(config.StateDirectory, "results");

        /// <summary>The runtime directory of the unit where there is one: it is on tmpfs and goes with the daemon.</summary>
        public string SocketFile => config.Control.Socket
            ?? Path.Combine(Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY") is { Length: > 0 } runtime ? runtime : config.StateDirectory, "control.sock");

        public string LogFile => config.Log.File ?? Path.Combine(config.StateDirectory, "logs", "sidecar.log");
    }
}
