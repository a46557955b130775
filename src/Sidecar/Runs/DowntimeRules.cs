namespace FleetSidecar.Runs;

/// <summary>Which time the deadline of a run counts after a start. Pure.</summary>
/// <remarks>
/// An agent works on without its sidecar, so its wall clock goes on; what the sidecar itself has to do goes on with it alone. A deadline that counted the time without
/// a daemon would end work that nobody has tried yet, or judge an agent by how late somebody looked.
/// </remarks>
internal static class DowntimeRules
{
    // For an agent that ended meanwhile: long enough to read how, before its deadline is told in the place of that.
    private static readonly TimeSpan Judging = TimeSpan.FromMinutes(1);

    // For an agent that has to stay alive for a while before our eyes.
    private static readonly TimeSpan Watching = TimeSpan.FromSeconds(5);

    /// <summary>When the run's state counts as begun.</summary>
    /// <param name="run">As the store has it.</param>
    /// <param name="process">What the machine says of its agent.</param>
    /// <param name="aliveUnixMs">The last sign of life of the daemon before this one; null where there is none.</param>
    /// <param name="now">Unix milliseconds.</param>
    /// <param name="limits">The deadlines in force.</param>
    public static long Since(Run run, ProcessFact process, long? aliveUnixMs, long now, DeadlineOptions limits)
    {
        if (run.State.IsFinal() || RunPolicy.DeadlineOf(run, limits) is not { } deadline || run.StateSinceUnixMs > now)
        {
            return run.StateSinceUnixMs;
        }

        var moved = run.StateSinceUnixMs + (now - Math.Clamp(aliveUnixMs ?? now, run.StateSinceUnixMs, now));
        return run.State switch
        {
            RunState.Confirming => Math.Max(moved, WithLeft(run.Profile.AliveFor + Watching)),
            RunState.Working when process is ProcessFact.Ended or ProcessFact.Vanished => Math.Max(run.StateSinceUnixMs, WithLeft(Judging)),
            RunState.Working => run.StateSinceUnixMs,
            _ => moved,
        };

        long WithLeft(TimeSpan left) => now - (long)Math.Max(0, (deadline.Limit - left).TotalMilliseconds);
    }
}
