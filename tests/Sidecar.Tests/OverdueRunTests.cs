using FleetSidecar.Runs;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

/// <summary>A run that has stood past its deadline is seen; one that is on time, or whose clock was set, is not.</summary>
public sealed class OverdueRunTests
{
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(2), Second = TimeSpan.FromSeconds(1);
    private readonly SetTime _time = new();

    [Theory]
    [InlineData("Preparing", "prepare", 600)]
    [InlineData("Waking", "wake", 60)]
    [InlineData("Working", "wall_clock", 14_400)]
    [InlineData("Verifying", "verify", 1_200)]
    [InlineData("Submitting", "submit", 600)]
    public void A_run_is_overdue_when_the_deadline_of_its_state_and_the_grace_are_over(string state, string deadline, int seconds)
    {
        var (run, limits, limit) = (Some.Run(Enum.Parse<RunState>(state)), new DeadlineOptions(), TimeSpan.FromSeconds(seconds));

        Assert.Null(OverdueRules.Judge(run, limit + Grace, limits, Grace));
        var late = OverdueRules.Judge(run, limit + Grace + Second, limits, Grace)!;

        Assert.Equal((deadline, limit), (late.Deadline, late.Limit));
    }

    [Theory]
    [InlineData("Completed")]
    [InlineData("Settled")]
    public void A_state_without_a_deadline_is_never_overdue(string state) =>
        Assert.Null(OverdueRules.Judge(Some.Run(Enum.Parse<RunState>(state)), TimeSpan.FromDays(300), new DeadlineOptions(), Grace));

    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(1, 2, false)]
    [InlineData(2, 2, true)]
    [InlineData(0, 1, false)]
    public void Overdue_runs_close_the_machine_only_where_they_hold_every_slot(int overdue, int slots, bool closes) =>
        Assert.Equal(closes, OverdueRules.HoldEverySlot([.. Enumerable.Range(0, overdue).Select(index => new OverdueRun(Some.Run(task: $"task-{index}"), "wall_clock", Second))], slots));

    [Fact]
    public void A_check_names_run_task_state_and_time_of_a_run_that_is_stuck_and_blocks_where_no_slot_is_free()
    {
        var check = Check(slots: 1);
        var run = Stuck(RunState.Submitting);
        Assert.Equal(CheckResult.Ok, check.Judge([run]).Status);

        _time.Pass(TimeSpan.FromMinutes(10) + Grace + Second);
        var found = check.Judge([run]);

        Assert.Equal((CheckResult.Failed, true), (found.Status, found.Blocks));
        Assert.Contains("run-task-1-1 of task-1 is submitting since 2026-01-01 00:00:00Z, past its deadline submit of 00:10:00", found.Detail, StringComparison.Ordinal);
        Assert.NotEmpty(found.Hint!);
        Assert.False(Check(slots: 2, after: [run]).Judge([run]).Blocks);
    }

    [Fact]
    public void A_wall_clock_that_is_set_forward_makes_no_run_overdue_and_one_that_is_set_back_hides_none()
    {
        var (forward, back) = (Check(slots: 1), Check(slots: 1));
        var run = Stuck(RunState.Working);
        forward.Judge([run]);
        back.Judge([run]);

        _time.Set(TimeSpan.FromDays(2));
        _time.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(CheckResult.Ok, forward.Judge([run]).Status);
        _time.Set(TimeSpan.FromDays(-9));
        _time.Pass(TimeSpan.FromHours(4) + Grace + Second);
        Assert.Equal(CheckResult.Failed, back.Judge([run]).Status);
    }

    [Fact]
    public void A_run_that_moves_on_is_on_time_again()
    {
        var check = Check(slots: 1);
        var run = Stuck(RunState.Submitting);
        check.Judge([run]);
        _time.Pass(TimeSpan.FromHours(1));
        Assert.Equal(CheckResult.Failed, check.Judge([run]).Status);

        Assert.Equal(CheckResult.Ok, check.Judge([run with { State = RunState.Working, StateSinceUnixMs = _time.Now }]).Status);
        Assert.Equal(CheckResult.Ok, check.Judge([]).Status);
    }

    private RunsCheck Check(int slots, IReadOnlyList<Run>? after = null)
    {
        var check = new RunsCheck(null!, Some.Config(slots), _time); // Judges what it is given; the loop is asked by RunAsync alone.
        if (after is not null)
        {
            check.Judge(after);
            _time.Pass(TimeSpan.FromDays(1));
        }

        return check;
    }

    private Run Stuck(RunState state) => Some.Run(state) with { StateSinceUnixMs = _time.Now };

    /// <summary>A clock whose wall time can be set without time passing.</summary>
    private sealed class SetTime : TimeProvider
    {
        private DateTimeOffset _wall = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        private long _passed;

        public long Now => _wall.ToUnixTimeMilliseconds();

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _passed;

        public override DateTimeOffset GetUtcNow() => _wall;

        public void Pass(TimeSpan span)
        {
            _passed += span.Ticks;
            _wall += span;
        }

        public void Set(TimeSpan by) => _wall += by;
    }
}
