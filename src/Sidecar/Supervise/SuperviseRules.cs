using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Supervise;

/// <summary>The moment of a look, and what is known beside it.</summary>
/// <param name="Now">Unix milliseconds.</param>
/// <param name="BootId">This boot of the machine.</param>
/// <param name="Hold">Why nothing may be restarted (pause, drain, safe mode), or null.</param>
/// <param name="HeartbeatAt">When the heartbeat file was last touched; null where there is none.</param>
internal sealed record MemberMoment(long Now, string BootId, string? Hold = null, long? HeartbeatAt = null);

/// <summary>What follows from a look: the new state, what to tell, and whether to start the member now.</summary>
internal sealed record MemberVerdict(MemberState State, bool Start, IReadOnlyList<MemberEvent> Events);

/// <summary>From the facts of the last looks to what is done. Pure.</summary>
/// <remarks>
/// A death is answered with a start after a back-off that doubles; only so many starts fit into a window, and then the member is
/// given up. A word that nobody can tell (tmux does not answer) is no death. The first look of a process of ours decides nothing,
/// because what it finds may be a machine that is still starting. What may go wrong: an agent that hangs and still paints its
/// spinner looks alive, and one that waits for a person without matching its idle pattern looks stuck.
/// </remarks>
internal static class SuperviseRules
{
    private const long FutureAllowed = 60_000;

    public static MemberVerdict Next(MemberState state, MemberLook look, MemberMoment moment, MemberOptions options)
    {
        var events = new List<MemberEvent>();
        var looked = Sane(state, moment.Now, options) with { Looks = state.Looks + 1, FirstLookUnixMs = state.Looks == 0 ? moment.Now : state.FirstLookUnixMs, NextTryUnixMs = null };
        var (next, start) = look switch
        {
            MemberLook.Alive alive => WhileAlive(looked, alive, moment, options, events),
            MemberLook.Dead dead => WhileDown(looked with { Pid = null, Screen = null, Unchanged = 0, HeartbeatStale = false }, MemberCondition.Down, dead.Why, moment, options, events),
            MemberLook.Unknown unknown => (WhileUnclear(looked, unknown.Why, events), false),
            _ => throw new InvalidOperationException($"unknown look {look}"),
        };
        return new MemberVerdict(next.Condition == state.Condition && state.Looks > 0 ? next : next with { SinceUnixMs = moment.Now }, start, events);
    }

    /// <summary>The record as it must be on disk before the start: a crash from here on costs a start, and never makes a second copy.</summary>
    public static MemberState Starting(MemberState state, MemberMoment moment, string nonce, bool resume) => state with
    {
        Unchanged = 0,
        Screen = null,
        Kept = state.Kept.With(process: null) with
        {
            Nonce = nonce, SeenBoot = moment.BootId, StartedAtUnixMs = moment.Now, Resumed = resume, DownSinceUnixMs = null, ResumeNext = false,
            Streak = state.Kept.Streak + 1, Starts = [.. state.Kept.Starts, moment.Now],
        },
    };

    /// <summary>Nothing was started; the back-off begins here.</summary>
    public static MemberState NotStarted(MemberState state, MemberMoment moment, string why) => state with
    {
        Condition = MemberCondition.Down,
        Detail = why,
        StartFault = why,
        Kept = state.Kept with { DownSinceUnixMs = moment.Now },
    };

    /// <summary>The operator has another try: whatever was counted is forgotten, and no back-off is waited for.</summary>
    public static MemberState Retry(MemberState state) => state with
    {
        Kept = state.Kept with
        {
            Starts = [], Streak = 0, GivenUpAtUnixMs = null, DownSinceUnixMs = 0,
            Reported = Without(state.Kept.Reported, MemberNews.GivenUp, MemberNews.Restarted, MemberNews.Stuck),
        },
    };

    public static bool CanRetry(MemberState state) => state.Condition is MemberCondition.Down or MemberCondition.Stuck or MemberCondition.GivenUp;

    /// <summary>Whether the next start resumes the last life.</summary>
    public static bool Resumes(MemberState state, MemberOptions options) => options.ResumeCommand.Count > 0 && state.Kept.ResumeNext;

    /// <summary>Wait before a start after so many in a row.</summary>
    public static TimeSpan Delay(int streak, MemberOptions options) =>
        Backoff.After(options.Backoff, streak + 1, options.BackoffMost);

    private static (MemberState State, bool Start) WhileAlive(MemberState state, MemberLook.Alive look, MemberMoment moment, MemberOptions options, List<MemberEvent> events)
    {
        var unchanged = options.StuckAfterCycles > 0 && look.Screen is not null && !look.Waits && look.Screen == state.Screen ? state.Unchanged + 1 : 0;
        var kept = state.Kept with { SeenBoot = moment.BootId };
        var next = state with { Kept = look.Process is null ? kept : kept.With(look.Process), Pid = look.Pid, Screen = look.Screen, Unchanged = unchanged };
        if (options.StuckAfterCycles > 0 && unchanged >= options.StuckAfterCycles)
        {
            var why = $"its pane has shown the same for {unchanged} cycles";
            return WhileDown(state.Kept.DownSinceUnixMs is null ? Tell(next, MemberNews.Stuck, why, events) : next, MemberCondition.Stuck, why, moment, options, events);
        }

        next = next with { Condition = MemberCondition.Running, Detail = look.Waits ? "waits" : "", StartFault = null, Kept = next.Kept with { DownSinceUnixMs = null, GivenUpAtUnixMs = null } };
        return (Heartbeat(Stable(next, moment, options, events), moment, options, events), false);
    }

    private static MemberState Stable(MemberState state, MemberMoment moment, MemberOptions options, List<MemberEvent> events)
    {
        if (state.Kept.StartedAtUnixMs is { } started && moment.Now - started < options.StableAfter.TotalMilliseconds)
        {
            return state;
        }

        if (state.Kept.Streak > 0)
        {
            events.Add(new(MemberNews.Recovered, "is stable again"));
        }

        return state with { Kept = state.Kept with { Streak = 0, Reported = Without(state.Kept.Reported, MemberNews.GivenUp, MemberNews.Restarted, MemberNews.Stuck) } };
    }

    // The file may be older than the member, or than the machine's start: a life has its time to touch it. A time in the future
    // says nothing, and would never get old.
    private static MemberState Heartbeat(MemberState state, MemberMoment moment, MemberOptions options, List<MemberEvent> events)
    {
        if (options.HeartbeatFile is null)
        {
            return state;
        }

        var touched = moment.HeartbeatAt is { } at && at <= moment.Now + FutureAllowed ? at : (long?)null;
        var since = Math.Max(touched ?? state.FirstLookUnixMs, state.Kept.StartedAtUnixMs ?? 0);
        var stale = moment.Now - since > options.HeartbeatStale.TotalMilliseconds;
        var next = state with { HeartbeatAtUnixMs = touched, HeartbeatStale = stale && state.Looks > 1 };
        var told = state.Kept.Reported.Contains(MemberNews.HeartbeatStale);
        if (next.HeartbeatStale)
        {
            return Tell(next, MemberNews.HeartbeatStale, touched is null ? $"there is no heartbeat in {options.HeartbeatFile}" : $"its heartbeat {options.HeartbeatFile} is {(moment.Now - touched.Value) / 1000} s old", events, once: true);
        }

        if (told && !stale && state.Looks > 1)
        {
            events.Add(new(MemberNews.HeartbeatFresh, "its heartbeat is fresh again"));
            return next with { Kept = next.Kept with { Reported = Without(next.Kept.Reported, MemberNews.HeartbeatStale) } };
        }

        return next;
    }

    private static (MemberState State, bool Start) WhileDown(MemberState state, string condition, string why, MemberMoment moment, MemberOptions options, List<MemberEvent> events)
    {
        var seen = state.Kept.SeenBoot == moment.BootId;
        why = state.StartFault is { } fault ? $"{why}; the last start failed: {fault}" : why;
        if (state.Kept.DownSinceUnixMs is null)
        {
            var lasted = state.Kept.StartedAtUnixMs is { } started ? moment.Now - started : long.MaxValue;
            state = state with { Kept = state.Kept with { DownSinceUnixMs = moment.Now, ResumeNext = state.Kept.SeenBoot is not null && lasted >= options.ResumeProves.TotalMilliseconds } };
            if (seen && condition == MemberCondition.Down)
            {
                events.Add(new(MemberNews.Down, why));
            }
        }

        if (state.Kept.GivenUpAtUnixMs is { } given && moment.Now - given >= options.RestartWindow.TotalMilliseconds)
        {
            state = state with { Kept = state.Kept with { GivenUpAtUnixMs = null, Starts = [], Streak = 0 } };
        }

        state = state with { Condition = condition, Detail = why };
        if (state.Kept.GivenUpAtUnixMs is { } at)
        {
            return (GivenUp(state, why, at, options), false);
        }

        if (moment.Hold is { } hold)
        {
            return (state with { Detail = $"{why}; not restarted: {hold}" }, false);
        }

        if (state.Looks == 1)
        {
            return (state with { Detail = $"{why}; the first look only observes" }, false);
        }

        if (state.Kept.Starts.Count >= options.Restarts)
        {
            var told = Tell(state, MemberNews.GivenUp, $"{state.Kept.Starts.Count} starts within {options.RestartWindow} and it does not stay: {why}", events);
            return (GivenUp(told with { Kept = told.Kept with { GivenUpAtUnixMs = moment.Now } }, why, moment.Now, options), false);
        }

        // What ended with the machine, or never ran, has no reason to wait.
        var due = state.Kept.DownSinceUnixMs!.Value + (seen || state.Kept.Streak > 0 ? (long)Delay(state.Kept.Streak, options).TotalMilliseconds : 0);
        if (moment.Now < due)
        {
            return (state with { NextTryUnixMs = due }, false);
        }

        return (seen ? Tell(state, MemberNews.Restarted, $"is restarted: {why}", events, once: true) : state, true);
    }

    private static MemberState GivenUp(MemberState state, string why, long at, MemberOptions options) => state with
    {
        Condition = MemberCondition.GivenUp, Detail = why, NextTryUnixMs = at + (long)options.RestartWindow.TotalMilliseconds,
    };

    private static MemberState WhileUnclear(MemberState state, string why, List<MemberEvent> events)
    {
        if (state.Condition != MemberCondition.Unknown || state.Detail != why)
        {
            events.Add(new(MemberNews.Unclear, why));
        }

        return state with { Condition = MemberCondition.Unknown, Detail = why, Unchanged = 0, Screen = null };
    }

    // The log hears of it each time, the hub once an episode.
    private static MemberState Tell(MemberState state, string code, string detail, List<MemberEvent> events, bool once = false)
    {
        var known = state.Kept.Reported.Contains(code);
        if (!known || !once)
        {
            events.Add(new(code, detail, Incident: !known));
        }

        return known ? state : state with { Kept = state.Kept with { Reported = [.. state.Kept.Reported, code] } };
    }

    // A clock that was set back must not leave a member waiting for a time that is far away.
    private static MemberState Sane(MemberState state, long now, MemberOptions options)
    {
        var kept = state.Kept;
        return state with
        {
            FirstLookUnixMs = Math.Min(state.FirstLookUnixMs, now),
            Kept = kept with
            {
                StartedAtUnixMs = NotAfter(kept.StartedAtUnixMs, now), DownSinceUnixMs = NotAfter(kept.DownSinceUnixMs, now), GivenUpAtUnixMs = NotAfter(kept.GivenUpAtUnixMs, now),
                Starts = [.. kept.Starts.Select(start => Math.Min(start, now)).Where(start => now - start < options.RestartWindow.TotalMilliseconds)],
            },
        };
    }

    private static long? NotAfter(long? time, long now) => time > now ? now : time;

    private static IReadOnlyList<string> Without(IReadOnlyList<string> codes, params string[] gone) => [.. codes.Except(gone)];
}
