using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>The open runs and what a batch of inputs makes of them. Nothing here touches disk, clock or process.</summary>
/// <remarks>
/// The loop feeds inputs into a <see cref="RunDraft"/>, commits the draft, and only then takes it over with <see cref="Take"/>; a
/// commit that fails leaves the book as it was and the same inputs can be tried again.
/// </remarks>
internal sealed class RunBook(SidecarConfig config, Func<string, long, Run?> findSettled, Func<(string RunId, string Nonce)?> ready, Func<string?> noRoom)
{
    private readonly Dictionary<string, Run> _open = [];

    // In the order of the messages: an acknowledgement covers what stands before it. A plain dictionary fills gaps and loses that.
    private readonly OrderedDictionary<string, OutboxMessage> _outbox = [];

    public IReadOnlyCollection<Run> Open => _open.Values;

    /// <summary>Why nothing is accepted at present, as a word for the wire, or null.</summary>
    public string? ClosedBecause { get; set; }

    public void Load(IEnumerable<Run> runs, IEnumerable<OutboxMessage> outbox)
    {
        foreach (var run in runs)
        {
            _open[run.Id] = run;
        }

        foreach (var message in outbox)
        {
            _outbox[message.MessageId] = message;
        }
    }

    public RunDraft Begin(long now) => new(_open, _outbox, now);

    public void Apply(RunDraft draft, RunInput input)
    {
        switch (input)
        {
            case RunInput.Assigned assigned:
                Assign(draft, assigned.Assignment);
                break;
            case RunInput.Continued continued when draft.OfTask(continued.TaskId) is { } run && continued.Generation > run.Generation:
                Adopt(draft, run, continued.Generation);
                break;
            case RunInput.TakenAway gone when draft.OfTask(gone.TaskId) is { } run && !run.State.IsFinal():
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
                draft.Advance(run with { Facts = run.Facts with { Failure = Missed(run, passed.Name) } });
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
    }

    private void Assign(RunDraft draft, HubMessage.TaskAssign assign)
    {
        var generation = assign.Generation ?? 0;
        var decision = AssignRules.Decide(assign, draft.OfTask(assign.TaskId), findSettled(assign.TaskId, generation),
            draft.Runs.Count(run => run.TakesSlot), config.Agent.MaxConcurrentRuns, ClosedBecause ?? noRoom());
        switch (decision)
        {
            case AssignDecision.Start:
                draft.Advance(NewRun(draft, assign, generation));
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

    private static Failure Missed(Run run, string deadline) => run.State == RunState.Confirming
        ? new Failure(FailureClass.WakeUnverified, "the agent was woken but nothing proves that it has the task") { Deadline = deadline }
        : new Failure(FailureClass.Timeout, $"the deadline '{deadline}' passed while {run.State.Word()}") { Deadline = deadline };

    // The berth that is ready gives the run its name, unless a run that has not been launched yet already has that name.
    private Run NewRun(RunDraft draft, HubMessage.TaskAssign assign, long generation) => ready() is { } berth && draft.Find(berth.RunId) is null
        ? NewRun(berth.RunId, berth.Nonce, assign, generation, draft.Now)
        : NewRun(Berth.NewRunId(), Berth.NewNonce(), assign, generation, draft.Now);

    private Run NewRun(string id, string nonce, HubMessage.TaskAssign assign, long generation, long now) => new()
    {
        Id = id,
        TaskId = assign.TaskId,
        Generation = generation,
        State = RunState.Assigned,
        Nonce = nonce,
        Profile = FirstProfile(config.Wake),
        Assignment = assign,
        CreatedAtUnixMs = now,
        StateSinceUnixMs = now,
    };

    private static WakeProfile FirstProfile(WakeOptions wake) => wake.Profiles[0];
}
