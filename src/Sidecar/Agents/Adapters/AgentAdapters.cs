namespace FleetSidecar.Agents.Adapters;

/// <summary>The kinds of agents that this version knows.</summary>
internal static class AgentAdapters
{
    private static readonly IAgentAdapter[] Known = [new CommandAdapter(), new ClaudeCodeAdapter(), new CodexAdapter(), new GeminiAdapter(), new OpencodeAdapter(), new OpenClawAdapter()];

    public static IEnumerable<string> Names => Known.Select(adapter => adapter.Name);

    /// <summary>The adapter of a name, or null where there is none.</summary>
    public static IAgentAdapter? Find(string name) => Array.Find(Known, adapter => adapter.Name == name);

    /// <summary>The adapter of a profile that was checked.</summary>
    public static IAgentAdapter Of(WakeProfile profile) =>
        Find(profile.Adapter) ?? throw new InvalidOperationException($"No adapter is called {profile.Adapter}.");
}
