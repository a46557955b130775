namespace FleetSidecar.Import;

/// <summary>What an operator asked <c>config import-agentcom</c> for; every path is absolute.</summary>
internal sealed record ImportRequest
{
    /// <summary>The configuration of AgentCom's sidecar.</summary>
    public required string Source { get; init; }

    /// <summary>The agent's directory; null where it is to be looked for.</summary>
    public string? AgentDirectory { get; init; }

    /// <summary>Where our configuration goes; the token goes beside it.</summary>
    public required string Output { get; init; }

    /// <summary>The command that wakes the agent, in place of the old one; empty for the old one.</summary>
    public IReadOnlyList<string> AgentCommand { get; init; } = [];

    /// <summary>Replace what is there; the old files stay as <c>.bak</c>.</summary>
    public bool Force { get; init; }

    /// <summary>Write nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>Take the token out of the old files at the end.</summary>
    public bool RemoveToken { get; init; }

    public string TokenFile => Path.Combine(Path.GetDirectoryName(Output)!, "hub-token");
}
