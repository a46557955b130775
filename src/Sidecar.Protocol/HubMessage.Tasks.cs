using System.Text.Json;

namespace FleetSidecar.Protocol;

public abstract partial record HubMessage
{
    /// <summary>A task for this agent. Every field but the first may be null or absent.</summary>
    public sealed record TaskAssign : HubMessage
    {
        /// <summary>The task's id; see <see cref="WireLimits.MaxTaskId"/> for its form.</summary>
        public required string TaskId { get; init; }

        /// <summary>What to do, in words. Data, never a command.</summary>
        public string? Description { get; init; }

        /// <summary>Whatever the submitter attached.</summary>
        public JsonElement? Metadata { get; init; }

        /// <summary>Counts assignments of this task; 0 where absent. Only the highest one may finish it.</summary>
        public long? Generation { get; init; }

        /// <summary>When the hub assigned it, unix milliseconds.</summary>
        public long? AssignedAt { get; init; }

        /// <summary>The repository to work in; none where absent.</summary>
        public string? Repo { get; init; }

        /// <summary>The branch to start from; the default branch of the repository where absent.</summary>
        public string? Branch { get; init; }

        /// <summary>Files that matter.</summary>
        public IReadOnlyList<FileHint>? FileHints { get; init; }

        /// <summary>When the task counts as done, in words.</summary>
        public IReadOnlyList<string>? SuccessCriteria { get; init; }

        /// <summary>Checks to run before the task is called complete.</summary>
        public IReadOnlyList<VerificationStep>? VerificationSteps { get; init; }

        /// <summary>The hub's estimate; passed on to the agent.</summary>
        public JsonElement? Complexity { get; init; }

        /// <summary>Why this agent; passed on to the agent.</summary>
        public JsonElement? RoutingDecision { get; init; }

        /// <summary>True: the commit check and the steps are left out; the push is still proved.</summary>
        public bool? SkipVerification { get; init; }

        /// <summary>Longest time for all steps together, milliseconds; the sidecar's own limit where absent or larger.</summary>
        public long? VerificationTimeoutMs { get; init; }

        /// <summary>How often the agent may be woken again to mend a failed check; 0 where absent.</summary>
        public int? MaxVerificationRetries { get; init; }
    }

    /// <summary>The hub has the message on disk.</summary>
    public sealed record TaskAck : HubMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary><c>accepted</c>, <c>complete</c>, <c>retried</c>, <c>dead_letter</c>, <c>requeued</c> or <c>noted</c>.</summary>
        public string? Status { get; init; }

        /// <summary>Version 2: the message that is acknowledged, and with it every earlier one of the same run.</summary>
        public string? MessageId { get; init; }
    }

    /// <summary>The answer to <c>task_recovering</c>: go on.</summary>
    public sealed record TaskContinue : HubMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The hub's generation of the task; a higher one is adopted.</summary>
        public long? Generation { get; init; }
    }

    /// <summary>The answer to <c>task_recovering</c>: the task is no longer ours.</summary>
    public sealed record TaskReassign : HubMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }
    }

    /// <summary>Stop working on the task; the work is kept on the machine.</summary>
    public sealed record TaskCancelled : HubMessage
    {
        /// <summary>The task.</summary>
        public required string TaskId { get; init; }

        /// <summary>The generation that is cancelled; any where absent.</summary>
        public long? Generation { get; init; }

        /// <summary>Why, for status and log.</summary>
        public string? Reason { get; init; }
    }
}

/// <summary>A file that matters for a task.</summary>
public sealed record FileHint
{
    /// <summary>Path inside the repository.</summary>
    public string? Path { get; init; }

    /// <summary>Why it matters.</summary>
    public string? Reason { get; init; }
}

/// <summary>One check that a task asks for.</summary>
public sealed record VerificationStep
{
    /// <summary>What kind: <c>file_exists</c>, <c>command</c>, <c>tests_pass</c> and so on.</summary>
    public string? Type { get; init; }

    /// <summary>What it is about: a path, a command line.</summary>
    public string? Target { get; init; }

    /// <summary>For people.</summary>
    public string? Description { get; init; }
}
