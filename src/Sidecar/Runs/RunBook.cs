using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>The open runs and what a batch of inputs makes of them. Nothing here touches disk, clock or process.</summary>
/// <remarks>
/// The loop feeds inputs into a <see cref="RunDraft"/>, commits the draft, and only then takes it over with <see cref="Take"/>; a
/// commit that fails leaves the book as it was and the same inputs can be tried again.
/// </remarks>
internal sealed class RunBook(SidecarConfig config, Func<string, long, Run?> findSettled, Func<(string RunId, string Nonce, string Profile)?> ready, Func<Closure?> closed)
{
    private readonly Dictionary<string, Run> _open = [];

    // In the order of the messages: an acknowledgement covers what stands before it. A plain dictionary fills gaps and loses that.
    private readonly OrderedDictionary<string, OutboxMessage> _outbox = [];
    private readonly Dictionary<string, Breaker> _breakers = [];

    public IReadOnlyCollection<Run> Open => _open.Values;

    /// <summary>What is let in.</summary>
    public IntakeState Intake { get; private set; } = IntakeState.Open;

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

    public RunDraft Begin(long now) => new(_open, _outbox, _breakers, config.Wake.Profiles, now);

    public void Apply(RunDraft draft, RunInput input)
    {
        switch (input)
        {
            case RunInput.Assigned assigned:
                Assign(draft, assigned);
                break;
            case RunInput.Continued continued when draft.OfTask(continued.TaskId) is { } run && continued.Generation > run.Generation
                    && BootRules.Decide(BootRules.RowOf(run), WitnessOf(run), HubFact.Higher) is not (BootAction.Refuse or BootAction.Abandon):
                Adopt(draft, run, continued.Generation);
                break;
            case RunInput.TakenAway gone when draft.OfTask(gone.TaskId) is { } run
                    && BootRules.Decide(BootRules.RowOf(run), WitnessOf(run), HubFact.Over) == BootAction.Abandon:
                draft.Advance(run with { Facts = run.Facts with { SupersededBy = gone.Why } });
                break;
            case RunInput.Cancelled cancelled when draft.OfTask(cancelled.TaskId) is { } run && !run.State.IsFinal()
                    && (cancelled.Generation ?? run.Generation) >= run.Generation:
                draft.Advance(run with { Facts = run.Facts with { CancelReason = cancelled.Reason } });
                break;
            case RunInput.Acknowledged acknowledged:
                draft.Acknowledge(acknowledged.MessageId);
                break;
            case RunInput.Refused refused:
                Refuse(draft, refused);
                break;
            case RunInput.Learned learned when draft.Find(learned.RunId) is { } run && RunPolicy.OrderFor(run) == learned.Order:
                draft.Advance(learned.Apply(run));
                break;
            case RunInput.DeadlinePassed passed when draft.Find(passed.RunId) is { } run && run.State == passed.State && !run.IsEnding:
                draft.Advance(run with { Facts = Missed(run, passed.Name) });
                break;
            case RunInput.IntakeDecided decided:
                draft.Intake = decided.Intake;
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

    private void Assign(RunDraft draft, RunInput.Assigned assigned)
    {
        var assign = assigned.Assignment;
        var generation = assign.Generation ?? 0;
        var decision = AssignRules.Decide(assign, draft.OfTask(assign.TaskId), findSettled(assign.TaskId, generation),
            draft.Runs.Count(run => run.TakesSlot), config.Agent.MaxConcurrentRuns, Closed(draft, assigned));
        switch (decision)
        {
            case AssignDecision.Start:
                draft.Advance(draft.Breakers.Use(NewRun(draft, assign, generation)));
                break;
            case AssignDecision.Adopt adopt:
                Adopt(draft, adopt.Run, generation);
                break;
            case AssignDecision.Repeat repeat:
                draft.Say(repeat.Run, RunMessages.SaidIn(repeat.Run.State) & RunRows.Accepted);
                break;
            case AssignDecision.Reject reject:
                draft.Rejections.Add(new SidecarMessage.TaskRejected
                {
                    TaskId = assign.TaskId, Generation = generation, Reason = reject.Reason, Detail = reject.Detail,
                });
                break;
        }
    }

    private static ProcessFact WitnessOf(Run run) => run switch
    {
        { ProcessMayLive: true } => ProcessFact.Alive,
        { Profile.Mode: WakeMode.Signal, Facts.WakeReturned: true } => ProcessFact.Elsewhere,
        _ => run.Facts.End is null ? ProcessFact.None : ProcessFact.Ended,
    };

    // What was said under the old generation would be refused, so all of it is said again under the new one.
    private static void Adopt(RunDraft draft, Run run, long generation)
    {
        draft.Silence(run);
        var adopted = run with { Generation = generation };
        draft.Change(adopted);
        draft.Say(adopted, RunMessages.SaidIn(adopted.State));
    }

    private static void Refuse(RunDraft draft, RunInput.Refused refused)
    {
        if (draft.Message(refused.MessageId) is not { } message || draft.Find(message.RunId) is not { } run)
        {
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

    // Judged with the commit, not when it came: while the disk could not be written, the operator may have closed the door.
    private Closure? Closed(RunDraft draft, RunInput.Assigned assigned)
    {
        var waited = draft.Now - assigned.ReceivedAtUnixMs;
        return IntakeRules.Closed(draft.Intake ?? Intake, draft.Now)
            ?? closed()
            ?? (waited > config.Deadlines.Accept.TotalMilliseconds ? new Closure("accept_expired", $"the assignment could not be stored for {waited / 1000} s; the deadline 'accept' passed") : null)
            ?? NoProfile(draft);
    }

    /// <summary>Every profile's provider is known to fail, or null.</summary>
    public Closure? NoProfile(RunDraft draft) => draft.Breakers.First() is not null ? null
        : new Closure("unavailable", $"every wake profile's provider fails: {string.Join(", ", _breakers.Values.Select(breaker => $"{breaker.Profile} ({breaker.LastCode})"))}");

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
    private static RunFacts Missed(Run run, string deadline) => run switch
    {
        { State: RunState.Confirming, Profile.Mode: WakeMode.Signal, Facts.WakeRepeated: false } => run.Facts with { WakeRepeated = true, WakeAgainDue = true },
        { State: RunState.Confirming } => run.Facts with
        {
            Failure = new Failure(FailureClass.WakeUnverified, $"the agent was woken but proved only '{run.WakeLevel}' in time") { Deadline = deadline },
        },
        _ => run.Facts with { Failure = new Failure(FailureClass.Timeout, $"the deadline '{deadline}' passed while {run.State.Word()}") { Deadline = deadline } },
    };

    // The berth that is ready gives the run its name, unless it was made for another profile or a run that has not been launched yet
    // already has that name.
    private Run NewRun(RunDraft draft, HubMessage.TaskAssign assign, long generation)
    {
        var berth = ready();
        var profile = NoopProfile.Fits(assign) ? NoopProfile.Profile : draft.Breakers.First()!; // Closed, where there is none.
        var (id, nonce) = berth is { } made && made.Profile == profile.Name && draft.Find(made.RunId) is null
            ? (made.RunId, made.Nonce)
            : (Berth.NewRunId(), Berth.NewNonce());
        return new Run
        {
            Id = id,
            TaskId = assign.TaskId,
            Generation = generation,
            State = RunState.Assigned,
            Nonce = nonce,
            Profile = profile,
            Assignment = assign,
            CreatedAtUnixMs = draft.Now,
            StateSinceUnixMs = draft.Now,
        };
    }
}
