using FleetSidecar.Configuration;

namespace FleetSidecar.Agents;

/// <summary>The variables that an agent process gets: an allow-list of ours, the profile's own, and what it needs to speak to us.</summary>
internal static class AgentEnvironment
{
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    /// <summary>What is the same for every run of a profile; the recorder is started with it and adds what belongs to one run.</summary>
    public static List<KeyValuePair<string, string>> Standing(WakeProfile profile, SidecarConfig config)
    {
        var variables = new Dictionary<string, string>();
        foreach (var name in Inherited.Concat(profile.PassEnvironment))
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                variables[name] = value;
            }
        }

        foreach (var (name, value) in profile.Environment)
        {
            variables[name] = value;
        }

        // Agents call fleet-sidecar from their shell; its directory comes last so that it hides nothing of theirs.
        variables["PATH"] = $"{variables.GetValueOrDefault("PATH", "/usr/local/bin:/usr/bin:/bin")}:{AppContext.BaseDirectory.TrimEnd('/')}";
        variables["FLEET_SOCKET"] = config.SocketFile;
        variables["FLEET_RESULTS_DIR"] = config.ResultsDirectory;
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables[Recorder.Mark] = config.StateDirectory;
        return [.. variables];
    }
}
