using System.Globalization;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>The variables that an agent process gets: an allow-list of ours, the profile's own, and what it needs to speak to us.</summary>
internal static class AgentEnvironment
{
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    /// <summary>What the recorder of a run is started with; it adds task, generation and workspace when it has its order.</summary>
    public static List<KeyValuePair<string, string>> For(string runDirectory, string nonce, WakeProfile profile, SidecarConfig config)
    {
        var variables = ForQuestion(profile);
        AddFixed(variables, runDirectory, nonce, config);
        variables[Recorder.Mark] = config.StateDirectory;
        return [.. variables];
    }

    /// <summary>What an agent's program gets that is asked something beside a turn: nothing of a run.</summary>
    public static Dictionary<string, string> ForQuestion(WakeProfile profile)
    {
        var variables = Own(Inherited.Concat(profile.PassEnvironment), profile);

        // Agents call fleet-sidecar from their shell; its directory comes last so that it hides nothing of theirs.
        variables["PATH"] = $"{variables.GetValueOrDefault("PATH", "/usr/local/bin:/usr/bin:/bin")}:{AppContext.BaseDirectory.TrimEnd('/')}";
        return variables;
    }

    /// <summary>The same in a unit of the agents' kind, which has home, user and PATH of its own.</summary>
    public static Dictionary<string, string> OfProfile(WakeProfile profile) => Own(profile.PassEnvironment, profile);

    /// <summary>What an agent in a unit of its own gets besides what the unit gives it: home, user and PATH are the unit's.</summary>
    public static List<KeyValuePair<string, string>> ForUnit(string runDirectory, Run run, string workspace, SidecarConfig config)
    {
        var variables = Own(run.Profile.PassEnvironment, run.Profile);
        AddFixed(variables, runDirectory, run.Nonce, config);
        variables["FLEET_AGENT"] = config.Agent.Id;
        variables["FLEET_RUN_ID"] = run.Id;
        variables["FLEET_TASK_ID"] = run.TaskId;
        variables["FLEET_GENERATION"] = run.Generation.ToString(CultureInfo.InvariantCulture);
        variables["FLEET_WORKSPACE"] = workspace;
        return [.. variables];
    }

    private static Dictionary<string, string> Own(IEnumerable<string> passed, WakeProfile profile)
    {
        var variables = new Dictionary<string, string>();
        foreach (var name in passed)
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

        return variables;
    }

    private static void AddFixed(Dictionary<string, string> variables, string runDirectory, string nonce, SidecarConfig config)
    {
        variables["FLEET_RUN_DIR"] = runDirectory;
        variables["FLEET_TASK_FILE"] = Recorder.TaskFile(runDirectory);
        variables["FLEET_NONCE"] = nonce;
        variables["FLEET_SOCKET"] = config.AgentSocketFile;
        variables["FLEET_RESULTS_DIR"] = config.ResultsOf(Path.GetFileName(runDirectory));
        variables["GIT_TERMINAL_PROMPT"] = "0";
    }
}
