namespace FleetSidecar.Agents.OpenClaw;

/// <summary>One turn that OpenClaw's gateway is asked for.</summary>
/// <param name="Gateway">Where it listens.</param>
/// <param name="Token">Its token; null where it has none.</param>
/// <param name="Agent">Which of its agents.</param>
/// <param name="SessionKey">The same for every attempt at the same generation of a task.</param>
/// <param name="IdempotencyKey">The same for every try of the same attempt; the gateway uses it as the run's id, and remembers it until it is restarted.</param>
/// <param name="Message">What the agent is told.</param>
/// <param name="TimeLimit">For the whole turn.</param>
internal sealed record GatewayCall(Uri Gateway, string? Token, string Agent, string SessionKey, string IdempotencyKey, string Message, TimeSpan TimeLimit)
{
    /// <summary>The session as the gateway lists it.</summary>
    public string QualifiedKey => $"agent:{Agent}:{SessionKey}";
}
