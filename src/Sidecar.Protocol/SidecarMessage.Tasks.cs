namespace FleetSidecar.Protocol;

public abstract partial record SidecarMessage
{
    /// <summary>The sidecar has the task on disk and will work on it. Sent again after every reconnect while the run lives.</summary>
    public sealed record TaskAccepted : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that was accepted.</summary>
        public long? Generation { get; init; }

        /// <summary>Version 2: echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>The run still moves. Not stored, not acknowledged; at most one a minute.</summary>
    public sealed record TaskProgress : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation being worked on.</summary>
        public long? Generation { get; init; }

        /// <summary>Percent done as the agent says, 0 to 100.</summary>
        public int? Progress { get; init; }

        /// <summary>What the agent says it is doing, at most <see cref="WireLimits.MaxReason"/> characters.</summary>
        public string? Message { get; init; }
    }

    /// <summary>The work is done, checked, and (with a repository) on the origin.</summary>
    public sealed record TaskComplete : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that was worked on; any other than the current one is refused.</summary>
        public required long Generation { get; init; }

        /// <summary>What came of it; see <see cref="TaskResult"/>. Kept as it is by the hub.</summary>
        public TaskResult? Result { get; init; }

        /// <summary>Model tokens spent, where the adapter knows; otherwise absent, never a guess.</summary>
        public long? TokensUsed { get; init; }

        /// <summary>What was checked and what came out.</summary>
        public VerificationReport? VerificationReport { get; init; }

        /// <summary>Version 2: echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>The run ended without the work being done.</summary>
    public sealed record TaskFailed : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that was worked on.</summary>
        public required long Generation { get; init; }

        /// <summary>What happened, one line, at most <see cref="WireLimits.MaxReason"/> characters.</summary>
        public string? Error { get; init; }

        /// <summary>The same text under the other name that version 1 hubs read.</summary>
        public string? Reason { get; init; }

        /// <summary>One of <see cref="FailureClass"/>; <c>unknown</c> where absent.</summary>
        public string? Code { get; init; }

        /// <summary>The name of the deadline that passed, where <see cref="Code"/> is <c>timeout</c>.</summary>
        public string? Deadline { get; init; }

        /// <summary>False when a retry cannot help (configuration); true where absent.</summary>
        public bool? Retryable { get; init; }

        /// <summary>How the agent process ended, where there was one.</summary>
        public int? ExitCode { get; init; }

        /// <summary>The last lines of the agent's output, redacted, at most <see cref="WireLimits.MaxReason"/> characters.</summary>
        public string? LastOutput { get; init; }

        /// <summary>Bytes of the agent's output that its machine did not keep, because they were more than a wake may keep; absent where all of it is there.</summary>
        public long? OutputDroppedBytes { get; init; }

        /// <summary>The agent's processes when they had to be stopped: pid, name, state and processor time of each, one line.</summary>
        public string? ProcessState { get; init; }

        /// <summary>Wake profiles whose providers failed before, each as <c>profile: class</c>, in order.</summary>
        public IReadOnlyList<string>? ProfilesTried { get; init; }

        /// <summary>What the agent had said of its own work, status and text, although the attempt failed; absent where it said nothing. A deadline, another exit code or a failed check may have come after it.</summary>
        public TaskResult? Reported { get; init; }

        /// <summary>Version 2: echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>What became of waking the agent: proved, or not.</summary>
    public sealed record WakeResult : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation woken for.</summary>
        public long? Generation { get; init; }

        /// <summary><c>success</c>, <c>failed</c> or <c>unverified</c>.</summary>
        public required string Status { get; init; }

        /// <summary>Which attempt this was, from 1.</summary>
        public int? Attempt { get; init; }

        /// <summary>The highest level that was proved: <c>launched</c>, <c>received</c>, <c>active</c> or <c>progressing</c>.</summary>
        public string? Level { get; init; }

        /// <summary>The profile that was used.</summary>
        public string? Profile { get; init; }

        /// <summary>Exit code of the wake command, where it has ended.</summary>
        public int? ExitCode { get; init; }

        /// <summary>Signal that ended the wake command, where one did.</summary>
        public int? Signal { get; init; }

        /// <summary>From start of the command to proof or failure, milliseconds.</summary>
        public long? DurationMs { get; init; }

        /// <summary>Why it failed, at most <see cref="WireLimits.MaxReason"/> characters.</summary>
        public string? Error { get; init; }

        /// <summary>The last lines of its output where it failed, redacted, at most <see cref="WireLimits.MaxReason"/> characters.</summary>
        public string? LastOutput { get; init; }

        /// <summary>Names the wake; a signal that is given again because it could not be proved has the same one.</summary>
        public string? WakeId { get; init; }

        /// <summary>Version 2: echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>Version 2: the sidecar will not take this assignment; nothing was started.</summary>
    public sealed record TaskRejected : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that was offered. AgentCom's sidecars leave it out: then the one that the agent holds is meant.</summary>
        public long? Generation { get; init; }

        /// <summary><c>busy</c>, <c>draining</c>, <c>paused</c>, <c>stopping</c>, <c>stale_generation</c>, <c>store_unavailable</c>,
        /// <c>agent_still_alive</c>, <c>accept_expired</c>, <c>unavailable</c>, <c>safe_mode</c> or <c>invalid</c>.</summary>
        public required string Reason { get; init; }

        /// <summary>One line for people.</summary>
        public string? Detail { get; init; }

        /// <summary>Echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>Version 2: the run stops here and the task goes to somebody else, with what was found.</summary>
    public sealed record TaskHandoff : SidecarMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that was worked on.</summary>
        public required long Generation { get; init; }

        /// <summary>Why, one line.</summary>
        public required string Reason { get; init; }

        /// <summary>A capability that the next agent needs, where the reason is a missing one.</summary>
        public IReadOnlyList<string>? NeededCapabilities { get; init; }

        /// <summary>Echoed by <c>task_ack</c>. A repeated message carries the same id.</summary>
        public string? MessageId { get; init; }
    }
}
