namespace FleetSidecar.Runs;

/// <summary>An assignment that waits in memory because it cannot start yet: an agent is still ending, or a version 1 hub would count a refusal.</summary>
/// <param name="Assigned">The assignment and when it came.</param>
/// <param name="Reason">The word for a refusal, if it comes to that.</param>
/// <param name="Detail">One line for people.</param>
/// <param name="IsDoor">The whole machine took no work when this was last judged.</param>
internal sealed record HeldAssignment(RunInput.Assigned Assigned, string Reason, string Detail, bool IsDoor)
{
    // The hub's own accept deadline began before the assignment came; the answer has to be there before it passes.
    private static readonly TimeSpan MaxMargin = TimeSpan.FromSeconds(10);

    public string TaskId => Assigned.Assignment.TaskId;

    public long Generation => Assigned.Assignment.Generation ?? 0;

    /// <summary>True once the assignment has waited for as long as the accept deadline allows.</summary>
    public bool IsOver(long now, TimeSpan accept) => now >= DueAtUnixMs(accept);

    /// <summary>When the wait is over: the accept deadline less a quarter of it, and less 10 seconds at most.</summary>
    public long DueAtUnixMs(TimeSpan accept)
    {
        var quarter = accept / 4;
        var margin = quarter < MaxMargin ? quarter : MaxMargin;
        return Assigned.ReceivedAtUnixMs + (long)(accept - margin).TotalMilliseconds;
    }
}
