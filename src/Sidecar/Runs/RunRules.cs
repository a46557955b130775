namespace FleetSidecar.Runs;

/// <summary>What the hub is told about a move, written in the same commit as the move.</summary>
[Flags]
internal enum RunRows
{
    None = 0,
    Accepted = 1,
    WakeResult = 2,
    Complete = 4,
    Failed = 8,
    HandOff = 16,
}

/// <summary>Where a run goes and what the hub is told.</summary>
internal readonly record struct RunMove(RunState Next, RunRows Rows = RunRows.None);

/// <summary>The life of one assignment as a table. Pure: no time, no I/O. <c>docs/states.md</c> shows it and a test compares the two.</summary>
internal static class RunRules
{
    public static RunMove Next(RunState state, RunSignal signal) => TryNext(state, signal)
        ?? throw new InvalidOperationException($"A run got {signal} while {state.Word()}.");

    /// <summary>The move for a pair, or null where the pair cannot happen.</summary>
    public static RunMove? TryNext(RunState state, RunSignal signal) => (state, signal) switch
    {
        (RunState.Assigned, RunSignal.Accept) => new(RunState.Accepted, RunRows.Accepted),
        (RunState.Accepted, RunSignal.Prepare) => new(RunState.Preparing),
        (RunState.Accepted, RunSignal.Wake) => new(RunState.Waking),
        (RunState.Preparing, RunSignal.Prepared) => new(RunState.Waking),
        (RunState.Waking or RunState.Confirming, RunSignal.WakeAgain) => new(RunState.Waking),
        (RunState.Waking or RunState.Confirming or RunState.Working, RunSignal.FailOver) => new(RunState.Waking),
        (RunState.Waking, RunSignal.Launched) => new(RunState.Confirming),
        (RunState.Confirming, RunSignal.Proved) => new(RunState.Working, RunRows.WakeResult),
        (RunState.Working, RunSignal.EndedWell) => new(RunState.Verifying),
        (RunState.Verifying, RunSignal.Verified) => new(RunState.Submitting),
        (RunState.Submitting, RunSignal.Submitted) => new(RunState.Completed, RunRows.Complete),

        // A wake that failed, or could not be proved, is itself something the hub must hear.
        (RunState.Waking or RunState.Confirming, RunSignal.Fail) => new(RunState.Failed, RunRows.WakeResult | RunRows.Failed),
        (not RunState.Assigned and < RunState.Completed, RunSignal.Fail) => new(RunState.Failed, RunRows.Failed),
        (not RunState.Assigned and < RunState.Completed, RunSignal.Cancel) => new(RunState.Cancelled),
        (not RunState.Assigned and < RunState.Completed, RunSignal.Supersede) => new(RunState.Superseded),
        (RunState.Working, RunSignal.HandOff) => new(RunState.HandedOff, RunRows.HandOff),

        (RunState.Completed or RunState.Failed or RunState.Cancelled or RunState.Superseded or RunState.HandedOff, RunSignal.Acknowledged)
            => new(RunState.Settled),
        _ => null,
    };
}
