using FleetSidecar.Supervise;

namespace FleetSidecar.Tests;

/// <summary>From the looks at a member to what is done, minute by minute.</summary>
public sealed class SuperviseRulesTests
{
    private const string Boot = "boot-1";
    private const long Begin = 1_000_000_000_000;
    private static readonly MemberLook.Alive Alive = new(Pid: 7);
    private static readonly MemberLook.Dead Dead = new("process 7 has ended");
    private readonly MemberOptions _options = new() { Name = "x", Command = ["/a"], ResumeCommand = ["/a", "--resume"] };

    [Fact]
    public void The_first_look_decides_nothing_and_the_second_starts_what_never_ran_without_waiting()
    {
        var first = Next(New(), Dead, 0);
        Assert.False(first.Start);

        var second = Next(first.State, Dead, 30);

        Assert.True(second.Start);
        Assert.False(SuperviseRules.Resumes(second.State, _options));
        Assert.DoesNotContain(second.Events, one => one.Incident);
    }

    [Fact]
    public void A_death_is_resumed_after_the_back_off_and_the_hub_hears_of_it_once_an_episode()
    {
        var (state, now) = (Running(), 1000L);

        var death = Next(state, Dead, now);
        Assert.False(death.Start);
        Assert.Equal(At(now) + 5000, death.State.NextTryUnixMs);
        var due = Next(death.State, Dead, now + 5);

        Assert.True(due.Start);
        Assert.True(SuperviseRules.Resumes(due.State, _options));
        Assert.Single(due.Events, one => one is { Code: MemberNews.Restarted, Incident: true });
        var again = Next(Next(Next(Start(due.State, now + 5, resume: true), Alive, now + 10).State, Dead, now + 20).State, Dead, now + 40);
        Assert.True(again.Start);
        Assert.DoesNotContain(again.Events, one => one.Incident);
    }

    [Fact]
    public void A_life_shorter_than_resume_proves_is_followed_by_a_fresh_one()
    {
        var resumed = Start(Next(Next(Running(), Dead, 1000).State, Dead, 1010).State, 1010, resume: true);

        var early = Next(Next(Next(resumed, Alive, 1020).State, Dead, 1060).State, Dead, 1100).State;
        var late = Next(Next(Next(resumed, Alive, 1020).State, Dead, 1080).State, Dead, 1200).State;

        Assert.False(SuperviseRules.Resumes(early, _options));
        Assert.True(SuperviseRules.Resumes(late, _options));
    }

    [Fact]
    public void The_back_off_doubles_up_to_its_limit() =>
        Assert.Equal([5, 10, 20, 40, 80, 160, 300, 300], Enumerable.Range(0, 8).Select(streak => (int)SuperviseRules.Delay(streak, _options).TotalSeconds));

    [Fact]
    public void After_the_most_starts_it_is_given_up_until_the_window_has_passed()
    {
        var (state, now, starts, told) = (Running(), 1000L, 0, 0);
        while (state.Condition != MemberCondition.GivenUp)
        {
            now += 10;
            var verdict = Next(state, Dead, now);
            told += verdict.Events.Count(one => one is { Code: MemberNews.GivenUp, Incident: true });
            state = verdict.Start ? Start(verdict.State, now, resume: false) : verdict.State;
            starts += verdict.Start ? 1 : 0;
        }

        Assert.Equal(5, starts);
        Assert.Equal(1, told);
        Assert.False(Next(state, Dead, now + 3000).Start);
        Assert.True(Next(state, Dead, now + 3600).Start);
        Assert.True(Next(SuperviseRules.Retry(state), Dead, now + 1).Start);
    }

    [Fact]
    public void A_stable_life_begins_the_back_off_anew_and_ends_the_episode()
    {
        var state = Start(Next(Next(Running(), Dead, 1000).State, Dead, 1010).State, 1010, resume: false);

        var stable = Next(state, Alive, 1010 + 600);

        Assert.Equal(0, stable.State.Kept.Streak);
        Assert.Empty(stable.State.Kept.Reported);
        Assert.Contains(stable.Events, one => one.Code == MemberNews.Recovered);
        Assert.Single(stable.State.Kept.Starts); // The window still counts it.
    }

    [Fact]
    public void Nothing_is_restarted_while_paused_and_it_is_afterwards()
    {
        var death = Next(Running(), Dead, 1000, hold: "paused");
        var later = Next(death.State, Dead, 2000, hold: "paused");

        Assert.False(death.Start || later.Start);
        Assert.Equal(MemberCondition.Down, later.State.Condition);
        Assert.Contains("paused", later.State.Detail, StringComparison.Ordinal);
        Assert.Single(death.Events, one => one.Code == MemberNews.Down);
        Assert.True(Next(later.State, Dead, 2030).Start);
    }

    [Fact]
    public void A_word_that_nobody_can_tell_is_no_death()
    {
        var state = Running();
        for (var now = 1000L; now < 2000; now += 30)
        {
            var verdict = Next(state, new MemberLook.Unknown("tmux does not say"), now);
            Assert.False(verdict.Start);
            Assert.Equal(state.Condition == MemberCondition.Unknown ? 0 : 1, verdict.Events.Count);
            state = verdict.State;
        }
    }

    [Fact]
    public void What_ended_with_the_machine_is_resumed_at_once_and_is_no_incident()
    {
        var reboot = New() with { Kept = Running().Kept };

        var first = Next(reboot, Dead, 1000, boot: "boot-2");
        var second = Next(first.State, Dead, 1001, boot: "boot-2");

        Assert.True(second.Start);
        Assert.True(SuperviseRules.Resumes(second.State, _options));
        Assert.Empty(first.Events.Concat(second.Events));
    }

    [Fact]
    public void A_pane_that_shows_the_same_is_stuck_after_so_many_cycles_unless_it_waits()
    {
        _options.StuckAfterCycles = 3;
        Assert.Equal([0, 0, 0, 1], Looks(new MemberLook.Alive(Screen: "a")).Select(verdict => verdict.Events.Count(one => one is { Code: MemberNews.Stuck, Incident: true })));
        Assert.All(Looks(new MemberLook.Alive(Screen: "a", Waits: true)), verdict => Assert.Equal(MemberCondition.Running, verdict.State.Condition));
        var stuck = Looks(new MemberLook.Alive(Screen: "a"))[^1].State;

        var waiting = Next(stuck, new MemberLook.Alive(Screen: "a"), 1093);
        Assert.Empty(waiting.Events);
        Assert.True(Next(waiting.State, new MemberLook.Alive(Screen: "a"), 1100).Start);
        Assert.Equal(MemberCondition.Running, Next(waiting.State, new MemberLook.Alive(Screen: "b"), 1100).State.Condition);
    }

    [Fact]
    public void A_stale_heartbeat_is_told_once_and_taken_back_when_it_is_fresh()
    {
        _options.HeartbeatFile = "/h";
        var state = Running();
        Assert.Empty(Next(state, Alive, 1299, heartbeat: 1000).Events);

        var stale = Next(state, Alive, 1301, heartbeat: 1000);
        var still = Next(stale.State, Alive, 1331, heartbeat: 1000);
        var fresh = Next(still.State, Alive, 1361, heartbeat: 1360);

        Assert.Single(stale.Events, one => one is { Code: MemberNews.HeartbeatStale, Incident: true });
        Assert.True(still.State.HeartbeatStale);
        Assert.Empty(still.Events);
        Assert.Single(fresh.Events, one => one.Code == MemberNews.HeartbeatFresh);
        Assert.Single(Next(fresh.State, Alive, 1700, heartbeat: 1360).Events, one => one.Code == MemberNews.HeartbeatStale);
        Assert.Single(Next(fresh.State, Alive, 1900, heartbeat: 999_999).Events, one => one.Code == MemberNews.HeartbeatStale); // A time in the future says nothing.
    }

    [Fact]
    public void A_clock_that_was_set_back_leaves_no_member_waiting_for_ever()
    {
        var death = Next(Running(), Dead, 100_000);

        var back = Next(death.State, Dead, 1000);

        Assert.Equal(At(1000) + 5000, back.State.NextTryUnixMs);
        Assert.True(Next(back.State, Dead, 1005).Start);
    }

    private MemberVerdict[] Looks(MemberLook look)
    {
        var state = Next(New(), Alive, 970).State;
        return [.. Enumerable.Range(0, 4).Select(number =>
        {
            var verdict = Next(state, look, 1000 + (number * 30));
            state = verdict.State;
            return verdict;
        })];
    }

    // Alive since long ago, seen twice.
    private MemberState Running() => Next(Next(New() with { Kept = new MemberRecord { Nonce = "n", StartedAtUnixMs = At(-10_000) } }, Alive, 0).State, Alive, 30).State;

    private static MemberState New() => new() { Kept = new MemberRecord() };

    private static MemberState Start(MemberState state, long seconds, bool resume) => SuperviseRules.Starting(state, new MemberMoment(At(seconds), Boot), "nonce", resume);

    private MemberVerdict Next(MemberState state, MemberLook look, long seconds, string? hold = null, string boot = Boot, long? heartbeat = null) =>
        SuperviseRules.Next(state, look, new MemberMoment(At(seconds), boot, hold, heartbeat is { } at ? At(at) : null), _options);

    private static long At(long seconds) => Begin + (seconds * 1000);
}
