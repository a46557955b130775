using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;

namespace FleetSidecar.Agents;

/// <summary>The variables that an agent process gets: an allow-list of ours, the profile's own, and what it needs to speak to us.</summary>
internal static class AgentEnvironment
{
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    /// <summary>What the recorder of a run is started with; it adds task, generation and workspace when it has its order.</summary>
    public static List<KeyValuePair<string, string>> For(string runDirectory, string nonce, WakeProfile profile, SidecarConfig config)
    {
        var variables = new Dictionary<string, string>();
        foreach (var name in Inherited.Concat(profile.PassEnvironment))
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                variables[name] = value;
            }
        }

        foreach (var (name, value) in AgentAdapters.Of(profile).Environment(profile).Concat(profile.Environment))
        {
            variables[name] = value;
        }

        // Agents call fleet-sidecar from their shell; its directory comes last so that it hides nothing of theirs.
        variables["PATH"] = $"{variables.GetValueOrDefault("PATH", "/usr/local/bin:/usr/bin:/bin")}:{AppContext.BaseDirectory.TrimEnd('/')}";
        variables["FLEET_RUN_DIR"] = runDirectory;
        variables["FLEET_TASK_FILE"] = Recorder.TaskFile(runDirectory);
        variables["FLEET_NONCE"] = nonce;
        variables["FLEET_SOCKET"] = config.SocketFile;
        variables["FLEET_RESULTS_DIR"] = config.ResultsDirectory;
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables[Recorder.Mark] = config.StateDirectory;
        return [.. variables];
    }
}
