namespace FleetSidecar.Protocol;

/// <summary>Everything a sidecar may say to a hub: a closed family, one nested record a kind.</summary>
/// <remarks>
/// Base kinds are those of AgentCom (version 1). <see cref="Heartbeat"/>, <see cref="TaskRejected"/>, <see cref="TaskHandoff"/>
/// and <see cref="LogChunk"/> exist only after <c>identified</c> carried <c>protocol_version: 2</c>; a version 1 hub counts an
/// unknown kind as a violation and closes the socket after ten in a minute. See <c>docs/protocol.md</c>.
/// </remarks>
public abstract partial record SidecarMessage
{
    private SidecarMessage()
    {
    }

    /// <summary>First frame on every connection: who is calling.</summary>
    public sealed record Identify : SidecarMessage
    {
        /// <summary>The agent's id, 1 to <see cref="WireLimits.MaxAgentId"/> characters.</summary>
        public required string AgentId { get; init; }

        /// <summary>The agent's token, 1 to <see cref="WireLimits.MaxToken"/> characters. Never logged.</summary>
        public required string Token { get; init; }

        /// <summary>Display name; the agent id where absent.</summary>
        public string? Name { get; init; }

        /// <summary>A status word for people; <c>idle</c>, <c>working</c> or <c>store_damaged</c>.</summary>
        public string? Status { get; init; }

        /// <summary>What the agent can do; the hub matches <c>needed_capabilities</c> against it. Empty where absent.</summary>
        public IReadOnlyList<string>? Capabilities { get; init; }

        /// <summary>Always <c>fleet-sidecar</c> for this program.</summary>
        public string? ClientType { get; init; }

        /// <summary>The program's version.</summary>
        public string? ClientVersion { get; init; }

        /// <summary>Highest version the sender speaks; 1 where absent. The answer decides which one is in force.</summary>
        public int? ProtocolVersion { get; init; }

        /// <summary>Names the sender's process, at most <see cref="WireLimits.MaxName"/> characters: the same on every connection of one
        /// process, another after a restart. By it a hub tells a sidecar that reconnects from two that share an identity.</summary>
        public string? InstanceId { get; init; }

        /// <summary>A hub that keeps the record's own text out of logs sees this instead of the token.</summary>
        public override string ToString() => $"Identify {{ AgentId = {AgentId}, Token = *** }}";
    }

    /// <summary>Liveness in version 1; at least every 30 s. Answered by <c>pong</c> within 10 s or the link is dead.</summary>
    public sealed record Ping : SidecarMessage
    {
        /// <summary>Sender's clock, unix milliseconds; for skew.</summary>
        public long? Timestamp { get; init; }
    }

    /// <summary>Asks, after a restart, whether a task is still ours. Answered by <c>task_continue</c> or <c>task_reassign</c>.</summary>
    public sealed record TaskRecovering : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }
    }

    /// <summary>After a reconnect, one for each run in progress. Answered by <c>state_report_ack</c>.</summary>
    public sealed record StateReport : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The run's state, one of the words of <c>docs/states.md</c>.</summary>
        public required string Status { get; init; }

        /// <summary>The generation that the sidecar is working for.</summary>
        public required long Generation { get; init; }
    }

    /// <summary>Load of the machine, version 1 only; in version 2 it rides in the heartbeat.</summary>
    public sealed record ResourceReport : SidecarMessage
    {
        /// <summary>Processor use since the last report, percent of all cores, 0 to 100.</summary>
        public double? CpuPercent { get; init; }

        /// <summary>Memory in use, bytes.</summary>
        public long? RamUsedBytes { get; init; }

        /// <summary>Memory of the machine, bytes.</summary>
        public long? RamTotalBytes { get; init; }

        /// <summary>Sender's clock, unix milliseconds.</summary>
        public long? Timestamp { get; init; }
    }

    /// <summary>Version 2: an answer to <c>log_request</c>.</summary>
    public sealed record LogChunk : SidecarMessage
    {
        /// <summary>The request this answers.</summary>
        public required string RequestId { get; init; }

        /// <summary>The run whose output this is.</summary>
        public required string RunId { get; init; }

        /// <summary>Where in the stream the text begins, bytes.</summary>
        public required long Offset { get; init; }

        /// <summary>The text, at most <see cref="WireLimits.MaxResultOutput"/> characters.</summary>
        public required string Text { get; init; }

        /// <summary>True when nothing follows.</summary>
        public required bool Last { get; init; }
    }
}
