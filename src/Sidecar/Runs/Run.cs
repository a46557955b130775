using FleetSidecar.Agents;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>One assignment on this machine. Immutable; the loop owns the current one.</summary>
internal sealed record Run
{
    // The hub's word for a completion that it took.
    private const string CompleteAnswer = "complete";

    public required string Id { get; init; }

    public required string TaskId { get; init; }

    public required long Generation { get; init; }

    public required RunState State { get; init; }

    /// <summary>Known to this run's agent alone; proves to us who speaks.</summary>
    public required string Nonce { get; init; }

    public required WakeProfile Profile { get; init; }

    public required HubMessage.TaskAssign Assignment { get; init; }

    public int WakeAttempt { get; init; }

    /// <summary>The recorder that holds the agent, once it is known.</summary>
    public ProcessIdentity? Process { get; init; }

    public RunFacts Facts { get; init; } = new();

    public required long CreatedAtUnixMs { get; init; }

    public required long StateSinceUnixMs { get; init; }

    /// <summary>True while a process of this run may exist. Nobody may be told that the run is over before this is false.</summary>
    public bool ProcessMayLive => Facts.End is null && (Process is not null || LaunchIsOpen);

    /// <summary>The intent to start a process is on disk and what came of it is not known yet.</summary>
    private bool LaunchIsOpen => State == RunState.Waking && Facts.WakeProblem is null;

    /// <summary>The same run with nothing in it but what this program made: it can always be stored, and it fails by this name.</summary>
    public Run Reduced(Failure failure) => this with
    {
        Assignment = new HubMessage.TaskAssign { TaskId = TaskId, Generation = Generation },
        Facts = new RunFacts
        {
            Workspace = Facts.Workspace,
            Branch = Facts.Branch,
            WokenAtUnixMs = Facts.WokenAtUnixMs,
            WakeReturned = Facts.WakeReturned,
            End = Facts.End is { } end ? new ProcessEnd(end.ExitCode, end.AtUnixMs) : null,
            CancelReason = Facts.CancelReason is null ? null : "cancelled",
            SupersededBy = Facts.SupersededBy is null ? null : "superseded",
            Failure = failure,
        },
    };

    /// <summary>How it will end is decided; nothing new may be started for it.</summary>
    public bool IsEnding => Facts.SupersededBy is not null || Facts.CancelReason is not null || Facts.Failure is not null;

    /// <summary>Takes a slot: not decided yet, or decided with a process still going.</summary>
    public bool TakesSlot => !State.IsFinal() || ProcessMayLive;

    /// <summary>How the run ended, read from its facts: a settled row no longer says it. Null while nothing is decided, or where the row says too little.</summary>
    public RunState? Outcome => Facts switch
    {
        { SupersededBy: not null } => RunState.Superseded,
        { CancelReason: not null } => RunState.Cancelled,
        { Failure: not null } => RunState.Failed,
        { Delivered: true } => RunState.Completed,
        { Report.Status: AgentReport.HandOff } => RunState.HandedOff,
        _ => null,
    };

    /// <summary>The hub was told that the work is complete and took it as that; a row of an earlier version does not hold the hub's word.</summary>
    public bool HubKnowsCompletion => Outcome == RunState.Completed && Facts.HubRefusal is null && (Facts.HubAnswer ?? CompleteAnswer) == CompleteAnswer;

    /// <summary>How far the wake is proved. A signal that nobody is known to have heard is launched and no more, whatever else is going on there.</summary>
    public string WakeLevel => this switch
    {
        { Process: null, Facts.WakeReturned: false } => WakeLevels.None,
        { Profile.Mode: WakeMode.Signal, IsHeard: false } => WakeLevels.Launched,
        { Facts.Activity: >= 2 } => WakeLevels.Progressing,
        { Facts.Activity: 1 } => WakeLevels.Active,
        _ => IsHeard ? WakeLevels.Received : WakeLevels.Launched,
    };

    private bool IsHeard => Facts.Received || Facts.Report is not null;
}
