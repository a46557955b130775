using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

/// <summary>What lets work in and what keeps it out: pause, drain, breakers, crash loops, silence. Pure.</summary>
public sealed class DoorTests
{
    private const long Now = 1_000_000;
    private static readonly ProcessIdentity Process = new(4242, 7, "boot");

    [Fact]
    public void What_came_after_a_pause_is_turned_down_though_both_are_in_one_commit()
    {
        var book = Some.Book(Some.Config());

        var draft = book.Begin(Now);
        book.Apply(draft, new RunInput.IntakeDecided(new IntakeState(IntakeMode.Paused, "moving", Now, null), null));
        book.Apply(draft, Assigned());

        Assert.Equal("paused", Assert.Single(draft.Rejections).Reason);
        Assert.Equal(IntakeMode.Paused, draft.Intake?.Mode);
    }

    // Said at Now by a clock that was set back since, or not.
    [Theory]
    [InlineData(Now - 300_000, 10_000L)]
    [InlineData(Now - 30_000, null)]
    [InlineData(Now + 5, null)]
    public void A_pause_lasts_as_long_as_was_said_also_where_the_clock_is_set_back(long now, long? left)
    {
        var book = Some.Book(Some.Config());
        var said = book.Begin(Now);
        book.Apply(said, new RunInput.IntakeDecided(new IntakeState(IntakeMode.Paused, "moving", Now, Now + 10_000), null));
        book.Take(said);

        var later = book.Begin(now);
        book.Apply(later, new RunInput.Beat());

        Assert.Equal(left, later.Intake?.UntilUnixMs - now);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(Now + 1, true)]
    [InlineData(Now, false)]
    public void A_pause_holds_until_its_time(long? until, bool closed)
    {
        var book = Some.Book(Some.Config());
        book.Load([], [], new IntakeState(IntakeMode.Paused, "x", 1, until));

        Assert.Equal(closed, Apply(book, Assigned()).Rejections.Count == 1);
    }

    [Fact]
    public void A_drain_that_is_due_stops_what_runs_and_says_so_when_it_is_gone()
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run(RunState.Working)], [], new IntakeState(IntakeMode.Draining, null, 1, Now));

        Apply(book, new RunInput.IntakeDue());
        var run = Assert.Single(book.Open);
        Assert.Equal(OrderKind.Stop, RunPolicy.OrderFor(run).Kind);
        var ended = Apply(book, new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with { Facts = now.Facts with { End = new ProcessEnd(143, 1) } }));

        Assert.Contains("\"deadline\":\"drain\"", ended.Added.Single(message => message.Kind == "task_failed").Payload, StringComparison.Ordinal);
        Assert.False(book.IntakeIsDue(Now));
    }

    [Fact]
    public void An_assignment_that_could_not_be_stored_in_time_is_turned_down()
    {
        var book = Some.Book(Some.Config());
        var draft = book.Begin(Now);

        book.Apply(draft, new RunInput.Assigned(Some.Assign(), Now - 60_001));

        Assert.Equal("accept_expired", Assert.Single(draft.Rejections).Reason);
    }

    [Fact]
    public void A_provider_that_fails_moves_the_run_to_the_next_profile_and_the_outcome_says_so()
    {
        var book = Some.Book(TwoProfiles());
        Apply(book, Assigned());
        End(book, AgentTurn.Bad(FailureClass.Auth, "401"));

        var run = Assert.Single(book.Open);
        Assert.Equal(("spare", RunState.Waking, 2), (run.Profile.Name, run.State, run.WakeAttempt));
        Assert.Null(run.Process);

        var failed = End(book, AgentTurn.Bad(FailureClass.RateLimited, "429"));

        Assert.Equal(RunState.Failed, Assert.Single(book.Open).State);
        var payload = failed.Added.Single(message => message.Kind == "task_failed").Payload;
        Assert.Contains("\"profiles_tried\":[\"main: auth\",\"spare: rate_limited\"]", payload, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_of_the_agent_itself_does_not_fail_over()
    {
        var book = Some.Book(TwoProfiles());
        Apply(book, Assigned());

        End(book, AgentTurn.Bad(FailureClass.AgentError, "broken"));

        Assert.Equal(RunState.Failed, Assert.Single(book.Open).State);
        Assert.Empty(book.Breakers);
    }

    [Fact]
    public void Three_failures_in_a_row_open_a_breaker_one_run_may_try_after_five_minutes_and_a_good_end_closes_it()
    {
        Breaker? breaker = null;
        for (var count = 1; count <= 3; count++)
        {
            Assert.True(BreakerRules.Admits(breaker, "r", Now));
            breaker = BreakerRules.Failed(breaker, "main", FailureClass.Auth, Now);
        }

        var later = Now + (long)BreakerRules.OpenFor.TotalMilliseconds;
        Assert.False(BreakerRules.Admits(breaker, "r", Now));
        Assert.False(BreakerRules.Admits(breaker, "r", later - 1));
        Assert.True(BreakerRules.Admits(breaker, "r", later));
        var probed = BreakerRules.Used(breaker, "r");
        Assert.False(BreakerRules.Admits(probed, "other", later));
        Assert.True(BreakerRules.Admits(BreakerRules.Released(probed, "r"), "other", later));
        Assert.False(BreakerRules.Admits(BreakerRules.Failed(probed, "main", FailureClass.Auth, later), "other", later + 1));

        var book = Some.Book(TwoProfiles());
        book.Load([], [], null, [breaker! with { OpenedAtUnixMs = Now - (long)BreakerRules.OpenFor.TotalMilliseconds }]);
        Apply(book, Assigned());
        Assert.Equal("main", Assert.Single(book.Open).Profile.Name);
        End(book, new AgentTurn { Ok = true });
        Assert.Empty(book.Breakers);
    }

    [Fact]
    public void With_every_breaker_open_nothing_is_accepted_and_the_reason_names_them()
    {
        var book = Some.Book(Some.Config());
        book.Load([], [], null, [new Breaker("main", 3, Now, null, FailureClass.Auth)]);

        var rejection = Assert.Single(Apply(book, Assigned()).Rejections);

        Assert.Equal("unavailable", rejection.Reason);
        Assert.Contains("main (auth)", rejection.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_signal_that_is_not_proved_is_given_once_more_and_then_fails_as_unverified()
    {
        var book = Some.Book(Some.Config(mode: WakeMode.Signal));
        var run = Some.Run(RunState.Confirming, mode: WakeMode.Signal);
        book.Load([run with { Facts = run.Facts with { WakeReturned = true, End = new ProcessEnd(0, 1) } }], []);

        Apply(book, new RunInput.DeadlinePassed(run.Id, RunState.Confirming, "confirm"));
        Assert.Equal((RunState.Waking, 2), (book.Open.Single().State, book.Open.Single().WakeAttempt));
        Apply(book, new RunInput.Learned(run.Id, RunPolicy.OrderFor(book.Open.Single()), now => now with { Process = Process, Facts = now.Facts with { WakeReturned = true, End = new ProcessEnd(0, 1) } }));
        var last = Apply(book, new RunInput.DeadlinePassed(run.Id, RunState.Confirming, "confirm"));

        Assert.Equal(FailureClass.WakeUnverified, Assert.Single(book.Open).Facts.Failure?.Code);
        Assert.Contains("\"status\":\"unverified\"", last.Added.Single(message => message.Kind == "wake_result").Payload, StringComparison.Ordinal);
        Assert.Contains($"\"wake_id\":\"{run.Id}\"", last.Added.Single(message => message.Kind == "wake_result").Payload, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false, 0, "launched")]
    [InlineData(false, false, 1, "active")]
    [InlineData(false, true, 0, "received")]
    [InlineData(false, true, 2, "progressing")]
    [InlineData(true, false, 2, "launched")]
    [InlineData(true, true, 1, "active")]
    public void A_signal_nobody_has_heard_is_launched_and_no_more(bool signal, bool received, int activity, string level)
    {
        var run = Some.Run(RunState.Confirming, mode: signal ? WakeMode.Signal : WakeMode.Run);

        Assert.Equal(level, (run with { Facts = run.Facts with { Received = received, Activity = activity } }).WakeLevel);
    }

    [Theory]
    [InlineData(1799, null, null)]
    [InlineData(1801, null, "first_activity")]
    [InlineData(9999, 3599, null)]
    [InlineData(9999, 3601, "idle")]
    public void Silence_has_two_names(int sinceProof, int? sinceSign, string? missed) => Assert.Equal(missed,
        ActivityRules.Missed(TimeSpan.FromSeconds(sinceProof), sinceSign is { } sign ? TimeSpan.FromSeconds(sign) : null, new DeadlineOptions()));

    [Fact]
    public void Silence_without_a_limit_is_never_too_long() => Assert.Null(ActivityRules.Missed(
        TimeSpan.FromDays(2), TimeSpan.FromDays(1), new DeadlineOptions { FirstActivity = TimeSpan.Zero, Idle = TimeSpan.Zero }));

    [Theory]
    [InlineData("0 0 0 0", true)]
    [InlineData("0 0 0", false)]
    [InlineData("0 0 g 0 0 0", false)]
    [InlineData("g 0 0 0 0", true)]
    [InlineData("old old old old", false)]
    [InlineData("future future future future", false)]
    public void Five_starts_in_ten_minutes_of_which_none_lasted_are_a_crash_loop(string earlier, bool expected)
    {
        var starts = earlier.Split(' ').Select(word => new StartRecord
        {
            AtUnixMs = word switch { "old" => Now - 600_001, "future" => Now + 1, _ => Now - 1000 }, Good = word == "g",
        }).ToList();

        Assert.Equal(expected, CrashLoopRules.IsCrashLoop(CrashLoopRules.Against(starts, Now, new SafeModeOptions()), new SafeModeOptions()));
        Assert.False(CrashLoopRules.IsCrashLoop(100, new SafeModeOptions { Starts = 0 }));
        Assert.Equal(TimeSpan.Zero, CrashLoopRules.Pause(100, new SafeModeOptions { Starts = 0 }));
    }

    [Theory]
    [InlineData("""{"a":{"b":1790000000}}""", "a.b", 1790000000)]
    [InlineData("""{"a":{"b":1790000000000}}""", "a.b", 1790000000)]
    [InlineData("""{"a":"2026-09-21T14:13:20Z"}""", "a", 1790000000)]
    [InlineData("""{"a":"soon"}""", "a", null)]
    [InlineData("""{"a":1}""", "a.b", null)]
    [InlineData("not json", "a", null)]
    public void The_end_of_a_credential_is_read_where_it_is_known(string json, string path, int? seconds) =>
        Assert.Equal(seconds, CredentialCheck.Expiry(System.Text.Encoding.UTF8.GetBytes(json), path)?.ToUnixTimeSeconds());

    private static RunInput.Assigned Assigned() => new(Some.Assign(), Now);

    private static SidecarConfig TwoProfiles()
    {
        var config = Some.Config();
        var spare = Some.Profile();
        spare.Name = "spare";
        config.Wake.Profiles.Add(spare);
        return config;
    }

    private static RunDraft End(RunBook book, AgentTurn turn)
    {
        var id = book.Open.Single().Id;
        Apply(book, new RunInput.Learned(id, RunPolicy.OrderFor(book.Open.Single()), now => now with { Process = Process }));
        return Apply(book, new RunInput.Learned(id, RunPolicy.OrderFor(book.Open.Single()), now => now with { Facts = now.Facts with { End = new ProcessEnd(0, 1), Turn = turn } }));
    }

    private static RunDraft Apply(RunBook book, RunInput input)
    {
        var draft = book.Begin(Now);
        book.Apply(draft, input);
        book.Take(draft);
        return draft;
    }
}
