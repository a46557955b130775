using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>What becomes of assignments: begun, adopted, held in memory, answered with a known outcome, or turned down.</summary>
/// <param name="config">Slots and the accept deadline.</param>
/// <param name="findSettled">Settled runs of a task, newest generation first.</param>
/// <param name="ready">The berth that waits, or null.</param>
/// <param name="closed">Why this machine takes no work, beside the operator's word, or null.</param>
internal sealed class Assignments(
    SidecarConfig config, Func<string, IReadOnlyList<Run>> findSettled, Func<(string RunId, string Nonce, string Profile)?> ready, Func<Closure?> closed)
{
    // A hub that sends without end cannot fill the memory: what is above is turned down at once.
    private const int MaxHeld = 64;

    /// <summary>Looks at every held assignment again: starts what can start now, gives up what has waited for too long.</summary>
    /// <param name="draft">Takes what follows.</param>
    /// <param name="intake">What the operator lets in.</param>
    /// <param name="without">Inputs that could not be handled; a held one among them is given up.</param>
    /// <exception cref="HeldAssignmentException">One of them cannot be handled.</exception>
    public void Release(RunDraft draft, IntakeState intake, IReadOnlySet<RunInput>? without)
    {
        foreach (var held in draft.Held.ToList())
        {
            draft.Held.Remove(held);
            if (without?.Contains(held.Assigned) == true)
            {
                continue;
            }

            if (!held.IsOver(draft.Now, config.Deadlines.Accept))
            {
                TakeAgain(draft, held.Assigned, intake);
            }
            else if (held.IsDoor && !held.Assigned.HubTakesRejections)
            {
                draft.Dropped.Add(held);
            }
            else
            {
                Reject(draft, held.Assigned.Assignment, held.Reason, held.Detail);
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The caller leaves out the one assignment that cannot be handled, and the others go on.")]
    private void TakeAgain(RunDraft draft, RunInput.Assigned assigned, IntakeState intake)
    {
        try
        {
            Take(draft, assigned, intake);
        }
        catch (Exception fault) when (fault is not StoreUnavailableException)
        {
            throw new HeldAssignmentException(assigned, fault);
        }
    }

    /// <summary>Decides about an assignment and puts what follows into the draft.</summary>
    public void Take(RunDraft draft, RunInput.Assigned assigned, IntakeState intake)
    {
        var assign = assigned.Assignment;
        var generation = assign.Generation ?? 0;
        draft.Held.RemoveAll(held => held.TaskId == assign.TaskId && held.Generation <= generation);
        var scene = new AssignScene(draft.OfTask(assign.TaskId), findSettled(assign.TaskId),
            draft.Runs.Count(run => run.TakesSlot), config.Agent.MaxConcurrentRuns, Closed(draft, assigned, intake), assigned.HubTakesRejections);
        switch (AssignRules.Decide(assign, scene))
        {
            case AssignDecision.Start:
                draft.Advance(draft.Breakers.Use(NewRun(draft, assign, generation)));
                break;
            case AssignDecision.Adopt adopt:
                draft.Adopt(adopt.Run, generation);
                break;
            case AssignDecision.Repeat repeat:
                draft.Say(repeat.Run, RunMessages.SaidIn(repeat.Run.State) & RunRows.Accepted);
                break;
            case AssignDecision.SayAgain again:
                draft.Say(again.Run with { Generation = generation }, RunRows.Accepted | RunMessages.OutcomeOf(again.Run));
                break;
            case AssignDecision.Hold hold when draft.Held.Count >= MaxHeld:
                Reject(draft, assign, hold.Reason, hold.Detail);
                break;
            case AssignDecision.Hold hold:
                draft.Held.Add(new HeldAssignment(assigned, hold.Reason, hold.Detail, hold.IsDoor));
                break;
            case AssignDecision.Reject reject:
                Reject(draft, assign, reject.Reason, reject.Detail);
                break;
        }
    }

    private static void Reject(RunDraft draft, HubMessage.TaskAssign assign, string reason, string detail) =>
        draft.Rejections.Add(new SidecarMessage.TaskRejected
        {
            TaskId = assign.TaskId, Generation = assign.Generation ?? 0, Reason = reason, Detail = detail,
        });

    // Judged with the commit, not when it came: while the disk could not be written, the operator may have closed the door.
    private Closure? Closed(RunDraft draft, RunInput.Assigned assigned, IntakeState intake)
    {
        var waited = draft.Now - assigned.ReceivedAtUnixMs;
        return IntakeRules.Closed(draft.Intake ?? intake, draft.Now)
            ?? closed()
            ?? Expired(waited)
            ?? NoProfile(draft);
    }

    /// <summary>Every profile's provider is known to fail, or null.</summary>
    public static Closure? NoProfile(RunDraft draft)
    {
        if (draft.Breakers.First() is not null)
        {
            return null;
        }

        var known = string.Join(", ", draft.Breakers.Known.Select(breaker => $"{breaker.Profile} ({breaker.LastCode})"));
        return new Closure("unavailable", $"every wake profile's provider fails: {known}");
    }

    private Closure? Expired(long waited) => waited > config.Deadlines.Accept.TotalMilliseconds
        ? new Closure("accept_expired", $"the assignment could not be stored for {waited / 1000} s; the deadline 'accept' passed")
        : null;

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
