using System.Text.Json.Serialization;

namespace FleetSidecar.Protocol;

/// <summary>Everything a hub may say to a sidecar: a closed family, one nested record a kind.</summary>
/// <remarks>
/// <see cref="Drain"/>, <see cref="Resume"/> and <see cref="LogRequest"/> belong to version 2. A sidecar that reads a kind it
/// does not know ignores it and keeps the link: AgentCom broadcasts presence and chat to every socket.
/// </remarks>
public abstract partial record HubMessage
{
    private HubMessage()
    {
    }

    /// <summary>The answer to <c>identify</c>: the link is up.</summary>
    public sealed record Identified : HubMessage
    {
        /// <summary>The agent that the hub took the caller for.</summary>
        public string? AgentId { get; init; }

        /// <summary>The version now in force; 1 where absent.</summary>
        public int? ProtocolVersion { get; init; }

        /// <summary>Hub's clock, unix milliseconds; for skew.</summary>
        public long? Timestamp { get; init; }

        /// <summary>Counts connections of this agent; a later connection has a higher one and wins.</summary>
        public long? Epoch { get; init; }
    }

    /// <summary>The answer to <c>ping</c> and to <c>heartbeat</c>.</summary>
    public sealed record Pong : HubMessage
    {
        /// <summary>Hub's clock, unix milliseconds.</summary>
        public long? Timestamp { get; init; }
    }

    /// <summary>The answer to <c>state_report</c>.</summary>
    public sealed record StateReportAck : HubMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary><c>continue</c> or <c>abort</c>; anything else is read as <c>continue</c>, because stopping loses work.</summary>
        public string? Action { get; init; }

        /// <summary>With <c>continue</c> the hub's generation of the task, and a higher one is adopted; with <c>abort</c> the one that
        /// was reported, and no other is meant.</summary>
        public long? Generation { get; init; }
    }

    /// <summary>Asks the sidecar to end with exit code 0 so that its supervisor starts it anew; agents keep working.</summary>
    public sealed record RestartSidecar : HubMessage
    {
        /// <summary>Why, for the log.</summary>
        public string? Reason { get; init; }
    }

    /// <summary>The last frame was refused for its rate; it must be sent again after the delay.</summary>
    public sealed record RateLimited : HubMessage
    {
        /// <summary>How long to wait, milliseconds; 1 000 where absent. At most 60 000 is honoured on a connection, and 3 600 000 before <c>identified</c>; a hub that needs more answers so again.</summary>
        public long? RetryAfterMs { get; init; }

        /// <summary>The limit that was met: <c>light</c>, <c>normal</c> or <c>heavy</c>.</summary>
        public string? Tier { get; init; }
    }

    /// <summary>The limit is near; the frame was taken.</summary>
    public sealed record RateLimitWarning : HubMessage
    {
        /// <summary>The limit that is near.</summary>
        public string? Tier { get; init; }

        /// <summary>Frames left in the window.</summary>
        public double? Remaining { get; init; }

        /// <summary>Frames in a full window.</summary>
        public double? Capacity { get; init; }
    }

    /// <summary>Something the sidecar sent was refused.</summary>
    public sealed record Error : HubMessage
    {
        /// <summary>The reason: <c>invalid_token</c>, <c>token_agent_mismatch</c>, <c>superseded</c>,
        /// <c>identity_shared</c>, <c>task_complete_failed: stale_generation</c> and so on. One of <see cref="RefusalCode"/> for a bad frame.</summary>
        [JsonPropertyName("error")]
        public required string Code { get; init; }

        /// <summary>What the sender should do, one line.</summary>
        public string? Hint { get; init; }

        /// <summary>The task it is about, where known (version 2).</summary>
        public string? TaskId { get; init; }

        /// <summary>The message it is about, where known (version 2).</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>Version 2: accept nothing new, finish what runs.</summary>
    public sealed record Drain : HubMessage
    {
        /// <summary>After how many seconds running work is cancelled and rescued; never, where absent.</summary>
        public long? DeadlineSeconds { get; init; }

        /// <summary>Why, for status and log.</summary>
        public string? Reason { get; init; }
    }

    /// <summary>Version 2: accept work again.</summary>
    public sealed record Resume : HubMessage;

    /// <summary>Version 2: asks for a piece of a run's output.</summary>
    public sealed record LogRequest : HubMessage
    {
        /// <summary>Echoed in every <c>log_chunk</c>.</summary>
        public required string RequestId { get; init; }

        /// <summary>The run.</summary>
        public required string RunId { get; init; }

        /// <summary>First byte wanted; 0 where absent.</summary>
        public long? Offset { get; init; }
    }
}
