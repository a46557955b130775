using System.Collections.Frozen;

namespace FleetSidecar.Runs;

/// <summary>Where a run is. Each state says who moves it in, who moves it out, and what the next start does after a crash.</summary>
internal enum RunState
{
    /// <summary>In: the hub's assignment. Out: at once, in the same commit. Never seen after a crash.</summary>
    Assigned,

    /// <summary>In: room for it was found. Out: at once, in the same commit. Never seen after a crash.</summary>
    Accepted,

    /// <summary>In: the task names a repository. Out: the workspace stands, or could not be made. Crash: made again from the mirror.</summary>
    Preparing,

    /// <summary>In: ready to wake; the intent is on disk. Out: the process has started (signal: the command returned 0). Crash: the recorder's note, then a live process with the nonce, then a new start.</summary>
    Waking,

    /// <summary>In: woken. Out: the wake is proved. Crash: watched again.</summary>
    Confirming,

    /// <summary>In: the wake is proved. Out: the agent's end or report. Crash: watched again; the exit status was recorded meanwhile.</summary>
    Working,

    /// <summary>In: a good end. Out: the checks. Crash: checked again.</summary>
    Verifying,

    /// <summary>In: the checks held. Out: the remote ref equals the commit. Crash: pushed again, which changes nothing.</summary>
    Submitting,

    /// <summary>In: the work is on the origin. Out: the hub's acknowledgement. Crash: the outbox is replayed.</summary>
    Completed,

    /// <summary>In: a failure, after the agent's process is gone. Out: the hub's acknowledgement. Crash: the outbox is replayed.</summary>
    Failed,

    /// <summary>In: the hub or the operator cancelled, after the process is gone. Out: at once.</summary>
    Cancelled,

    /// <summary>In: the hub gave the task to somebody else. Out: at once.</summary>
    Superseded,

    /// <summary>In: the agent asked that somebody else take it. Out: the hub's acknowledgement.</summary>
    HandedOff,

    /// <summary>In: the hub knows. Out: never.</summary>
    Settled,
}

/// <summary>The words for states: in the database, on the wire, in logs and in the docs.</summary>
internal static class RunStates
{
    private static readonly FrozenDictionary<RunState, string> Words = new Dictionary<RunState, string>
    {
        [RunState.Assigned] = "assigned", [RunState.Accepted] = "accepted", [RunState.Preparing] = "preparing",
        [RunState.Waking] = "waking", [RunState.Confirming] = "confirming", [RunState.Working] = "working",
        [RunState.Verifying] = "verifying", [RunState.Submitting] = "submitting", [RunState.Completed] = "completed",
        [RunState.Failed] = "failed", [RunState.Cancelled] = "cancelled", [RunState.Superseded] = "superseded",
        [RunState.HandedOff] = "handed_off", [RunState.Settled] = "settled",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, RunState> States = Words.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);

    public static string Word(this RunState state) => Words[state];

    public static RunState Parse(string word) => States[word];

    /// <summary>True once the outcome is decided; it never changes after that.</summary>
    public static bool IsFinal(this RunState state) => state >= RunState.Completed;
}
