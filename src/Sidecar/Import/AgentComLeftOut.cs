namespace FleetSidecar.Import;

/// <summary>Why a key of AgentCom's sidecar has no equivalent.</summary>
internal static class AgentComLeftOut
{
    private static readonly Dictionary<string, string> Known = new()
    {
        ["hub_api_url"] = "the sidecar speaks to the hub by its socket alone",
        ["repo_dir"] = "each task gets a clone of its own, of the repository that the task names",
        ["reviewer"] = "workspace.forge opens pull requests, with the forge's address and a token",
        ["results_dir"] = "agents find their directory in FLEET_RESULTS_DIR; agent.resultsDirectory names another one",
        ["log_file"] = "the log is in the journal, and in logs/sidecar.log in the state directory",
        ["queue_path"] = "work in progress is kept in the store, below the state directory",
        ["ollama_url"] = "a local model belongs to the agent's own configuration",
        ["reconnect_base_ms"] = "pauses between dials are fixed: 1 s, doubled, at random",
        ["reconnect_max_ms"] = "pauses between dials are fixed: at most 60 s",
    };

    /// <summary>The reason, in words.</summary>
    public static string Why(string key) => Known.GetValueOrDefault(key, "AgentCom's sidecar knows no such key");
}
