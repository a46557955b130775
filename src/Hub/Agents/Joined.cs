namespace FleetHub.Agents;

/// <summary>What became of a connection that wants to stand for its agent: a closed family.</summary>
internal abstract record Joined
{
    private Joined()
    {
    }

    /// <summary>It stands; an older one, where there was one, has to go.</summary>
    public sealed record InPlace(AgentConnection? Older) : Joined;

    /// <summary>A newer one was quicker.</summary>
    public sealed record Overtaken : Joined;

    /// <summary>Two sidecars use this identity, and another one has it.</summary>
    public sealed record Refused : Joined;
}
