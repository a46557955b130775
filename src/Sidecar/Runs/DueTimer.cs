using FleetSidecar.Agents.Failover;

namespace FleetSidecar.Runs;

/// <summary>The one timer for what changes with time alone: a pause that ends, a drain that is due, a breaker that may be tried, a held assignment whose wait is over.</summary>
internal sealed class DueTimer(RunBook book, DeadlineOptions limits, TimeProvider time, Action due)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private ITimer? _timer;
    private long _looked;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The time by which its caller now tells what has changed; what changes later still rings.</summary>
    public long Look() => _looked = Now;

    /// <summary>Sets the timer to the earliest of them, from what is committed.</summary>
    public void Set(IReadOnlyCollection<HeldAssignment> held)
    {
        var now = Now;
        var next = Breakers(now).Concat(held.Select(one => one.DueAtUnixMs(limits.Accept))).Append(Intake(now)).Min();
        _timer?.Dispose();
        _timer = next == long.MaxValue ? null : time.CreateTimer(_ => due(), null, Wait(next, now), Timeout.InfiniteTimeSpan);
    }

    private IEnumerable<long> Breakers(long now) => book.Breakers
        .Where(breaker => breaker.OpenedAtUnixMs is not null && breaker.ProbeRunId is null)
        .Select(breaker => breaker.OpenedAtUnixMs!.Value + (long)BreakerRules.OpenFor.TotalMilliseconds)
        .Where(at => at > Math.Min(now, _looked)); // What has passed since the last look is told by nobody else.

    private long Intake(long now)
    {
        if (book.IntakeIsDue(now))
        {
            return now;
        }

        return book.Intake.UntilUnixMs is { } until && until > now ? until : long.MaxValue;
    }

    private static TimeSpan Wait(long next, long now) =>
        TimeSpan.FromMilliseconds(Math.Clamp(next - now, 0, (long)LongestWait.TotalMilliseconds));
}
