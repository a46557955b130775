namespace FleetHub.Tasks;

/// <summary>One task as the hub has it on disk.</summary>
internal sealed record TaskRecord
{
    public required string Id { get; init; }

    public required string Status { get; init; }

    public required int Priority { get; init; }

    public required TaskSpec Spec { get; init; }

    public string? AssignedTo { get; init; }

    public long? AssignedAt { get; init; }

    public long? AcceptBy { get; init; }

    public long? LeaseUntil { get; init; }

    public long NotBefore { get; init; }

    public long Generation { get; init; }

    public int RetryCount { get; init; }

    public string? LastError { get; init; }

    /// <summary>The result as the sidecar sent it, JSON.</summary>
    public string? Result { get; init; }

    public string? VerificationReport { get; init; }

    public long? TokensUsed { get; init; }

    /// <summary>Agents that handed it off; it is not given back to them.</summary>
    public IReadOnlyList<string> HandedOffBy { get; init; } = [];

    public required string SubmittedBy { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; init; }

    public bool IsHeld => Status is TaskStatus.Assigned or TaskStatus.Working;

    public bool IsFinal => Status is TaskStatus.Completed or TaskStatus.DeadLetter or TaskStatus.Cancelled;
}

/// <summary>The words for a task's status.</summary>
internal static class TaskStatus
{
    public const string Queued = "queued";
    public const string Assigned = "assigned";
    public const string Working = "working";
    public const string RetryWait = "retry_wait";
    public const string Completed = "completed";
    public const string DeadLetter = "dead_letter";
    public const string Cancelled = "cancelled";

    public static IReadOnlyList<string> All { get; } = [Queued, Assigned, Working, RetryWait, Completed, DeadLetter, Cancelled];
}

/// <summary>Priorities: a smaller number goes first.</summary>
internal static class Priorities
{
    private static readonly string[] Words = ["urgent", "high", "normal", "low"];
    public const int Normal = 2;

    public static int? Parse(string word) => word switch
    {
        "critical" => 0,
        _ when Array.IndexOf(Words, word) is var number and >= 0 => number,
        _ => null,
    };

    public static string Word(int number) => Words[number];
}
