namespace FleetSidecar.Runs;

/// <summary>A run that has stood past the deadline of its state.</summary>
/// <param name="Run">The run.</param>
/// <param name="Deadline">The name of the deadline.</param>
/// <param name="Limit">How long the state may take.</param>
internal sealed record OverdueRun(Run Run, string Deadline, TimeSpan Limit);

/// <summary>
/// Which runs have stood past their deadline, and whether they keep the machine from taking work. Pure.
/// </summary>
internal static class OverdueRules
{
    /// <summary>Whether a run has stood past its deadline for longer than the deadline itself may be late.</summary>
    /// <param name="run">The run.</param>
    /// <param name="age">How long it has been in its state.</param>
    /// <param name="limits">The deadlines in force.</param>
    /// <param name="grace">
    /// How late a deadline may be: its timer, the commit that it waits for, and the stop of the agent.
    /// </param>
    public static OverdueRun? Judge(Run run, TimeSpan age, DeadlineOptions limits, TimeSpan grace) =>
        RunPolicy.DeadlineOf(run, limits) is { } deadline && age > deadline.Limit + grace
            ? new OverdueRun(run, deadline.Name, deadline.Limit)
            : null;

    /// <summary>
    /// Whether runs that stand past their deadline hold every slot: only then can the machine take no work because of
    /// them.
    /// </summary>
    public static bool HoldEverySlot(IReadOnlyCollection<OverdueRun> overdue, int slots) =>
        overdue.Count(one => one.Run.TakesSlot) >= slots;

    /// <summary>
    /// How long a run has been in its state when it is first seen there, as the deadline's own timer counts it.
    /// </summary>
    /// <remarks>
    /// The wall clock may have been set: what it says is no more than the limit and no less than nothing.
    /// </remarks>
    public static TimeSpan AgeAtFirstSight(Run run, long nowUnixMs, DeadlineOptions limits)
    {
        var limit = RunPolicy.DeadlineOf(run, limits)?.Limit ?? TimeSpan.Zero;
        var age = TimeSpan.FromMilliseconds(Math.Max(0, nowUnixMs - run.StateSinceUnixMs));
        return age < limit ? age : limit;
    }
}
