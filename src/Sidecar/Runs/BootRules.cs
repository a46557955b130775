namespace FleetSidecar.Runs;

/// <summary>What the store says of a run.</summary>
internal enum RowFact
{
    /// <summary>Nothing: the store does not know it.</summary>
    None,

    /// <summary>The intent to start a process is on disk, and not what came of it.</summary>
    Intent,

    /// <summary>A process was started, or the signal was given.</summary>
    Woken,

    /// <summary>Before the wake or after the turn: preparing, pausing, verifying, submitting.</summary>
    AtWork,

    /// <summary>The outcome is decided and the hub has not acknowledged it.</summary>
    Decided,

    /// <summary>The hub knows the outcome.</summary>
    Settled,
}

/// <summary>What the machine says of a run.</summary>
internal enum ProcessFact
{
    /// <summary>No trace of a process, and none can appear any more.</summary>
    None,

    /// <summary>It lives: same pid, same start time, same boot.</summary>
    Alive,

    /// <summary>It is gone and its exit status was recorded.</summary>
    Ended,

    /// <summary>It is gone and nothing recorded how: killed with its recorder, or the machine was started anew.</summary>
    Vanished,

    /// <summary>The wake was a signal; the agent works where we cannot see it.</summary>
    Elsewhere,
}

/// <summary>What the hub says of a run's task.</summary>
internal enum HubFact
{
    /// <summary>Nothing yet.</summary>
    Unheard,

    /// <summary>It is ours, under the generation that we have.</summary>
    Same,

    /// <summary>It is ours, under a higher generation.</summary>
    Higher,

    /// <summary>It is not ours: final, or with somebody else.</summary>
    Over,
}

/// <summary>What is done.</summary>
internal enum BootAction
{
    /// <summary>Nothing is started and nothing is taken up; what was decided stays decided.</summary>
    Refuse,

    /// <summary>The agent may be started: no process exists and the hub may still want it.</summary>
    Begin,

    /// <summary>Go on with what is there, under this sidecar.</summary>
    Adopt,

    /// <summary>The turn is over: judge it, tell the hub, or tell it again.</summary>
    Finalise,

    /// <summary>End what lives; the work stays on disk, and no outcome is claimed.</summary>
    Abandon,
}

/// <summary>Three witnesses (store, machine, hub) and what follows, for every combination. Pure; docs/states.md shows it.</summary>
internal static class BootRules
{
    public static BootAction Decide(RowFact row, ProcessFact process, HubFact hub) => (row, process, hub) switch
    {
        // Nobody here answers for a process that lives: two at once is worse than one begun anew.
        (RowFact.None or RowFact.Settled, ProcessFact.Alive, _) => BootAction.Abandon,
        (RowFact.None or RowFact.Settled, _, _) => BootAction.Refuse,

        // An outcome is told again until it is acknowledged, whatever the hub thought before.
        (RowFact.Decided, _, _) => BootAction.Finalise,
        (_, _, HubFact.Over) => BootAction.Abandon,
        (_, ProcessFact.Alive or ProcessFact.Elsewhere, _) => BootAction.Adopt,
        (RowFact.Intent, ProcessFact.None, _) => BootAction.Begin,
        (RowFact.AtWork, _, _) => BootAction.Adopt,
        (RowFact.Intent or RowFact.Woken, ProcessFact.Ended or ProcessFact.Vanished, _) => BootAction.Finalise,

        // Woken, but the disk has no trace of it: as good as vanished.
        (RowFact.Woken, ProcessFact.None, _) => BootAction.Finalise,
        _ => throw new InvalidOperationException($"No rule for {row}, {process}, {hub}."),
    };

    public static RowFact RowOf(Run run) => run.State switch
    {
        RunState.Settled => RowFact.Settled,
        _ when run.State.IsFinal() => RowFact.Decided,
        RunState.Waking when run is { Process: null, Facts.WakeProblem: null } => RowFact.Intent,
        RunState.Waking when run.Facts.WakeProblem is not null => RowFact.AtWork,
        RunState.Waking or RunState.Confirming or RunState.Working => RowFact.Woken,
        _ => RowFact.AtWork,
    };
}
