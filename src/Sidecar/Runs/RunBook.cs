using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>The open runs and what a batch of inputs makes of them. Nothing here touches disk, clock or process.</summary>
/// <remarks>
/// The loop feeds inputs into a <see cref="RunDraft"/>, commits the draft, and only then takes it over with <see cref="Take"/>; a
/// commit that fails leaves the book as it was and the same inputs can be tried again.
/// </remarks>
internal sealed class RunBook(SidecarConfig config, Func<string, IReadOnlyList<Run>> findSettled, Func<(string RunId, string Nonce, string Profile)?> ready, Func<Closure?> closed)
{
    private readonly Dictionary<string, Run> _open = [];

    // In the order of the messages: an acknowledgement covers what stands before it. A plain dictionary fills gaps and loses that.
    private readonly OrderedDictionary<string, OutboxMessage> _outbox = [];
    private readonly Dictionary<string, Breaker> _breakers = [];
    private readonly Assignments _assignments = new(config, findSettled, ready, closed);
    private List<HeldAssignment> _held = [];

    public IReadOnlyCollection<Run> Open => _open.Values;

    /// <summary>What is let in.</summary>
    public IntakeState Intake { get; private set; } = IntakeState.Open;

    /// <summary>Assignments that wait in memory for a slot, a door or the end of an agent. A crash loses none: the hub still has them.</summary>
    public IReadOnlyList<HeldAssignment> Held => _held;

    /// <summary>What is known against profiles.</summary>
    public IReadOnlyCollection<Breaker> Breakers => _breakers.Values;

    public void Load(IEnumerable<Run> runs, IEnumerable<OutboxMessage> outbox, IntakeState? intake = null, IEnumerable<Breaker>? breakers = null)
    {
        Intake = intake ?? IntakeState.Open;
        foreach (var breaker in breakers ?? [])
        {
            _breakers[breaker.Profile] = breaker;
        }

        foreach (var run in runs)
        {
            _open[run.Id] = run;
        }

        foreach (var message in outbox)
        {
            _outbox[message.MessageId] = message;
        }
    }

    public RunDraft Begin(long now)
    {
        var draft = new RunDraft(_open, _outbox, _breakers, config.Wake.Profiles, now);
        draft.Held.AddRange(_held);
        return draft;
    }

    public void Apply(RunDraft draft, RunInput input)
    {
        switch (input)
        {
            case RunInput.Assigned assigned:
                _assignments.Take(draft, assigned, Intake);
                break;
            case RunInput.Continued continued when draft.OfTask(continued.TaskId) is { } run && continued.Generation > run.Generation
                    && run.Facts is { CancelReason: null, SupersededBy: null }
                    && BootRules.Decide(BootRules.RowOf(run), WitnessOf(run), HubFact.Higher) is not (BootAction.Refuse or BootAction.Abandon):
                draft.Adopt(run, continued.Generation);
                break;
            case RunInput.TakenAway gone:
                TakeAway(draft, gone);
                break;
            case RunInput.Cancelled cancelled:
                Cancel(draft, cancelled);
                break;
            case RunInput.Acknowledged acknowledged:
                Acknowledge(draft, acknowledged);
                break;
            case RunInput.Refused refused:
                Refuse(draft, refused);
                break;
            case RunInput.Learned learned when draft.Find(learned.RunId) is { } run && RunPolicy.OrderFor(run) == learned.Order:
                FaultPoints.At(FaultPoint.Learn);
                draft.Advance(learned.Apply(run));
                break;
            case RunInput.OrderBroke broke when draft.Find(broke.RunId) is { } run && RunPolicy.OrderFor(run) == broke.Order:
                draft.Advance(Broken(run, broke));
                break;
            case RunInput.DeadlinePassed passed when draft.Find(passed.RunId) is { } run && run.State == passed.State && !run.IsEnding:
                draft.Advance(run with { Facts = Missed(run, passed) });
                break;
            case RunInput.Resumed resumed when draft.Find(resumed.RunId) is { } run:
                draft.Change(run); // As the start found it.
                break;
            case RunInput.IntakeDecided decided:
                draft.Intake = decided.Intake;
                break;
            case RunInput.Beat:
                draft.Intake ??= IntakeRules.AfterStepBack(Intake, draft.Now);
                break;
            case RunInput.IntakeDue:
                EndIntake(draft);
                break;
            case RunInput.AgentSpoke spoke when draft.Find(spoke.RunId) is { } run && !run.State.IsFinal():
                draft.Advance(run with { Facts = spoke.Apply(run.Facts) });
                break;
        }
    }

    /// <summary>Takes a committed draft over.</summary>
    public void Take(RunDraft draft)
    {
        foreach (var run in draft.Changed)
        {
            if (run.State == RunState.Settled)
            {
                _open.Remove(run.Id);
            }
            else
            {
                _open[run.Id] = run;
            }
        }

        foreach (var message in draft.Added)
        {
            _outbox[message.MessageId] = message;
        }

        foreach (var messageId in draft.Removed)
        {
            _outbox.Remove(messageId);
        }

        foreach (var runId in draft.Forgotten.Keys)
        {
            _open.Remove(runId);
            foreach (var message in _outbox.Values.Where(message => message.RunId == runId).ToList())
            {
                _outbox.Remove(message.MessageId);
            }
        }

        _held = draft.Held;
        Intake = draft.Intake ?? Intake;
        foreach (var (profile, breaker) in draft.Breakers.Changed)
        {
            if (breaker is null)
            {
                _breakers.Remove(profile);
            }
            else
            {
                _breakers[profile] = breaker;
            }
        }
    }

    // The hub's answer is about the generation that was reported to it. A run that has adopted a higher one since is still
    // wanted, so the answer is void and the report is made again.
    private static void TakeAway(RunDraft draft, RunInput.TakenAway gone)
    {
        draft.Held.RemoveAll(held => held.TaskId == gone.TaskId && held.Generation <= (gone.Generation ?? long.MaxValue));
        if (draft.OfTask(gone.TaskId) is not { } run)
        {
            return;
        }

        if (gone.Generation > run.Generation)
        {
            return; // Nothing was ever reported under that one.
        }

        if (gone.Generation < run.Generation)
        {
            draft.Reports.Add(run);
        }
        else if (BootRules.Decide(BootRules.RowOf(run), WitnessOf(run), HubFact.Over) == BootAction.Abandon)
        {
            draft.Advance(run with { Facts = run.Facts with { SupersededBy = gone.Why } });
        }
    }

    private static void Cancel(RunDraft draft, RunInput.Cancelled cancelled)
    {
        draft.Held.RemoveAll(held => held.TaskId == cancelled.TaskId && held.Generation <= (cancelled.Generation ?? long.MaxValue));
        if (draft.OfTask(cancelled.TaskId) is { } run && !run.State.IsFinal() && (cancelled.Generation ?? run.Generation) >= run.Generation)
        {
            draft.Advance(run with { Facts = run.Facts with { CancelReason = cancelled.Reason } });
        }
    }

    private static void Acknowledge(RunDraft draft, RunInput.Acknowledged acknowledged)
    {
        if (acknowledged.Status is { } status && draft.Message(acknowledged.MessageId) is { IsFinal: true } message && draft.Find(message.RunId) is { } run)
        {
            draft.Change(run with { Facts = run.Facts with { HubAnswer = Printable.Cut(status, WireLimits.MaxName) } });
        }

        draft.Acknowledge(acknowledged.MessageId);
    }

    // An order that breaks is a failure of its run, and what the run needs next is decided as after any failure. A wake that breaks
    // leaves the intent open: the order is given again and finds out whether something was started.
    private static Run Broken(Run run, RunInput.OrderBroke broke) => run with
    {
        Facts = run.Facts with { Failure = run.Facts.Failure ?? new Failure(FailureClass.InternalError, broke.Reason) },
    };

    private static ProcessFact WitnessOf(Run run) => run switch
    {
        { ProcessMayLive: true } => ProcessFact.Alive,
        { Profile.Mode: WakeMode.Signal, Facts.WakeReturned: true } => ProcessFact.Elsewhere,
        _ => run.Facts.End is null ? ProcessFact.None : ProcessFact.Ended,
    };

    private static void Refuse(RunDraft draft, RunInput.Refused refused)
    {
        if (draft.Message(refused.MessageId) is not { } message)
        {
            return;
        }

        if (draft.Find(message.RunId) is not { } run)
        {
            draft.Acknowledge(refused.MessageId); // An outcome that was said again for a settled run.
            return;
        }

        if (message.Kind == "task_accepted" && !run.State.IsFinal())
        {
            draft.Advance(run with { Facts = run.Facts with { SupersededBy = refused.Code } });
            return;
        }

        draft.Change(run with { Facts = run.Facts with { HubRefusal = refused.Code } });
        draft.Acknowledge(refused.MessageId);
    }

    /// <summary>Every profile's provider is known to fail, or null.</summary>
    public static Closure? NoProfile(RunDraft draft) => Assignments.NoProfile(draft);

    /// <summary>Looks at every held assignment again: starts what can start now, gives up what has waited for too long.</summary>
    /// <exception cref="HeldAssignmentException">One of them cannot be handled.</exception>
    public void Release(RunDraft draft, IReadOnlySet<RunInput>? without = null) => _assignments.Release(draft, Intake, without);

    /// <summary>The time of the intake state is over and something is still to be done about it.</summary>
    public bool IntakeIsDue(long now) => IntakeRules.PauseIsOver(Intake, now)
        || (IntakeRules.DrainIsDue(Intake, now) && _open.Values.Any(run => !run.State.IsFinal() && !run.IsEnding));

    private void EndIntake(RunDraft draft)
    {
        var intake = draft.Intake ?? Intake;
        if (IntakeRules.PauseIsOver(intake, draft.Now))
        {
            draft.Intake = IntakeState.Open with { SinceUnixMs = draft.Now };
        }
        else if (IntakeRules.DrainIsDue(intake, draft.Now))
        {
            foreach (var run in draft.Runs.Where(run => !run.State.IsFinal() && !run.IsEnding).ToList())
            {
                draft.Advance(run with { Facts = run.Facts with { Failure = new Failure(FailureClass.Timeout, "this machine is being drained and the drain's deadline came; what it left is rescued") { Deadline = "drain" } } });
            }
        }
    }

    // A signal may have been lost on its way, so it is given once more, under the same wake id. A process that runs is not lost.
    private static RunFacts Missed(Run run, RunInput.DeadlinePassed passed) => run switch
    {
        { State: RunState.Confirming, Profile.Mode: WakeMode.Signal, Facts.WakeRepeated: false } => run.Facts with { WakeRepeated = true, WakeAgainDue = true },
        { State: RunState.Confirming } => run.Facts with
        {
            Failure = new Failure(FailureClass.WakeUnverified, $"the agent was woken but proved only '{run.WakeLevel}' in time") { Deadline = passed.Name },
        },
        _ => run.Facts with
        {
            Failure = new Failure(
                FailureClass.Timeout,
                $"the deadline '{passed.Name}' passed while {run.State.Word()}{(passed.Doing is null ? "" : $": {passed.Doing}")}")
            {
                Deadline = passed.Name,
            },
        },
    };
}
