using FleetSidecar.Agents.Failover;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The timer of what changes with time alone rings for each change once, also for one that falls between a look and the alarm.</summary>
public sealed class DueTimerTests
{
    private const long Opened = 1_000_000;
    private static readonly long Ends = Opened + (long)BreakerRules.OpenFor.TotalMilliseconds;
    private readonly Clock _time = new();
    private readonly DueTimer _timer;

    public DueTimerTests()
    {
        var book = Some.Book(Some.Config());
        book.Load([], [], null, [new Breaker("main", 3, Opened, null, FailureClass.Auth)]);
        _timer = new DueTimer(book, new DeadlineOptions(), _time, () => { });
    }

    [Fact, Trait("kind", "a deadline that passes between a decision and its alarm")]
    public void A_breaker_whose_time_ended_after_the_last_look_rings_at_once()
    {
        _time.UnixMs = Ends - 1;
        _timer.Look();
        _time.UnixMs = Ends + 1;

        _timer.Set([]);

        Assert.Equal(TimeSpan.Zero, _time.Alarm);
    }

    [Fact]
    public void A_breaker_whose_end_was_told_rings_no_more()
    {
        _time.UnixMs = Ends + 1;
        _timer.Look();

        _timer.Set([]);

        Assert.Null(_time.Alarm);
    }

    [Fact]
    public void A_clock_that_is_set_back_behind_a_look_hides_no_end()
    {
        _time.UnixMs = Ends + 1;
        _timer.Look();
        _time.UnixMs = Ends - 5;

        _timer.Set([]);

        Assert.Equal(TimeSpan.FromMilliseconds(5), _time.Alarm);
    }

    private sealed class Clock : TimeProvider
    {
        public long UnixMs { get; set; }

        /// <summary>When the last timer that was set rings, from then on.</summary>
        public TimeSpan? Alarm { get; private set; }

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(UnixMs);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Alarm = dueTime;
            return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
