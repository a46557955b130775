using FleetSidecar.Configuration;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>The variables that an agent process gets: an allow-list of ours, the profile's own, and what it needs to speak to us.</summary>
internal static class AgentEnvironment
{
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    public static List<KeyValuePair<string, string>> For(Run run, string runDirectory, string taskFile, SidecarConfig config)
    {
        var variables = new Dictionary<string, string>();
        foreach (var name in Inherited.Concat(run.Profile.PassEnvironment))
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                variables[name] = value;
            }
        }

        foreach (var (name, value) in run.Profile.Environment)
        {
            variables[name] = value;
        }

        // Agents call fleet-sidecar from their shell; its directory comes last so that it hides nothing of theirs.
        variables["PATH"] = $"{variables.GetValueOrDefault("PATH", "/usr/local/bin:/usr/bin:/bin")}:{AppContext.BaseDirectory.TrimEnd('/')}";
        variables["FLEET_TASK_ID"] = run.TaskId;
        variables["FLEET_GENERATION"] = run.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture);
        variables["FLEET_RUN_DIR"] = runDirectory;
        variables["FLEET_TASK_FILE"] = taskFile;
        variables["FLEET_NONCE"] = run.Nonce;
        variables["FLEET_SOCKET"] = config.SocketFile;
        variables["FLEET_RESULTS_DIR"] = config.ResultsDirectory;
        variables["FLEET_WORKSPACE"] = run.Facts.Workspace ?? runDirectory;
        variables["GIT_TERMINAL_PROMPT"] = "0";
        return [.. variables];
    }
}
