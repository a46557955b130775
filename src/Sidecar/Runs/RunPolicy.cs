using FleetSidecar.Agents;

namespace FleetSidecar.Runs;

/// <summary>Reads a run's facts and says what has happened and what is to be done. Pure, so that a start after a crash and a quiet day take the same path.</summary>
internal static class RunPolicy
{
    /// <summary>The signal that the facts amount to in the run's state, or null while nothing has changed.</summary>
    public static RunSignal? Next(Run run)
    {
        if (run.State.IsFinal())
        {
            return null; // What settles a run is the outbox, which the loop sees.
        }

        // An outcome waits for the process: the hub may give the task away the moment it hears.
        return run.State != RunState.Assigned && Ending(run) is { } ending
            ? run.ProcessMayLive ? null : ending
            : Forward(run);
    }

    /// <summary>What has to be going on for the run now. The same answer means: let it go on.</summary>
    public static RunOrder OrderFor(Run run)
    {
        if (run.Process is not null && run.ProcessMayLive && (run.State.IsFinal() || Ending(run) is not null))
        {
            return new RunOrder(OrderKind.Stop, run.WakeAttempt);
        }

        return run.State switch
        {
            RunState.Preparing => new(OrderKind.Prepare, 0),
            RunState.Waking => new(run.Facts.WakeProblem is null ? OrderKind.Wake : OrderKind.Pause, run.WakeAttempt),
            RunState.Confirming or RunState.Working => new(OrderKind.Watch, run.WakeAttempt),
            RunState.Verifying => new(OrderKind.Verify, 0),
            RunState.Submitting => new(OrderKind.Submit, 0),
            _ => RunOrder.Nothing,
        };
    }

    /// <summary>The deadline in force in a state, or null where none is.</summary>
    public static (string Name, TimeSpan Limit)? DeadlineOf(Run run, DeadlineOptions limits) => run.State switch
    {
        RunState.Preparing => ("prepare", limits.Prepare),
        RunState.Waking => ("wake", limits.Wake),
        RunState.Confirming => ("confirm", Longer(limits.Confirm, run.Profile)),
        RunState.Working => ("wall_clock", limits.WallClock),
        RunState.Verifying => ("verify", limits.Verify),
        RunState.Submitting => ("submit", limits.Submit),
        _ => null,
    };

    // A run-mode agent proves itself by staying alive, so the deadline must not come before that time is over.
    private static TimeSpan Longer(TimeSpan confirm, WakeProfile profile) =>
        profile.Mode == WakeMode.Run && profile.AliveFor >= confirm ? profile.AliveFor + confirm : confirm;

    private static RunSignal? Ending(Run run) => run switch
    {
        { Facts.SupersededBy: not null } => RunSignal.Supersede,
        { Facts.CancelReason: not null } => RunSignal.Cancel,
        { Facts.Failure: not null } => RunSignal.Fail,
        { Facts.Report.Status: AgentReport.HandOff, State: RunState.Working } => RunSignal.HandOff,
        _ => null,
    };

    private static RunSignal? Forward(Run run) => run.State switch
    {
        RunState.Assigned => RunSignal.Accept,
        RunState.Accepted => run.Assignment.Repo is null ? RunSignal.Wake : RunSignal.Prepare,
        RunState.Preparing when run.Facts.Workspace is not null => RunSignal.Prepared,
        RunState.Waking or RunState.Confirming or RunState.Working when run.Facts.NextProfile is not null && !run.ProcessMayLive => RunSignal.FailOver,
        RunState.Waking or RunState.Confirming when run.Facts.WakeAgainDue => RunSignal.WakeAgain,
        RunState.Waking when IsLaunched(run) => RunSignal.Launched,
        RunState.Confirming when IsProved(run) => RunSignal.Proved,
        RunState.Working when HasEnded(run) => RunSignal.EndedWell, // A bad end is a Failure among the facts.
        RunState.Verifying when run.Facts.Verification is not null => RunSignal.Verified,
        RunState.Submitting when run.Facts.Delivered => RunSignal.Submitted,
        _ => null,
    };

    private static bool IsLaunched(Run run) => run.Profile.Mode == WakeMode.Signal ? run.Facts.WakeReturned : run.Process is not null;

    // A turn that has ended needs no more proof that it began: how it ended is judged next.
    private static bool IsProved(Run run) => (run.Profile.Mode == WakeMode.Run && run.Facts.End is not null) || run.Facts.Report is not null
        || (WantedLevel(run.Profile) is var wanted && wanted == WakeLevels.Launched
            ? run.Profile.Mode == WakeMode.Signal || run.Facts.StayedAlive || WakeLevels.Reaches(run.WakeLevel, WakeLevels.Received)
            : WakeLevels.Reaches(run.WakeLevel, wanted));

    private static string WantedLevel(WakeProfile profile) =>
        profile.Proof ?? (profile.Mode == WakeMode.Signal ? WakeLevels.Received : WakeLevels.Launched);

    private static bool HasEnded(Run run) => run.Profile.Mode == WakeMode.Run ? run.Facts.End is not null : run.Facts.Report is not null;
}

/// <summary>A piece of work for a run.</summary>
internal enum OrderKind
{
    Nothing,
    Prepare,
    Wake,
    Pause,
    Watch,
    Verify,
    Submit,
    Stop,
}

/// <summary>A piece of work and which attempt it belongs to; a new attempt is new work.</summary>
internal readonly record struct RunOrder(OrderKind Kind, int Attempt)
{
    public static readonly RunOrder Nothing = new(OrderKind.Nothing, 0);
}
