using FleetSidecar.Drain;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>What to do with an assignment: a closed family.</summary>
internal abstract record AssignDecision
{
    private AssignDecision()
    {
    }

    /// <summary>New work: put it on disk and begin.</summary>
    public sealed record Start : AssignDecision;

    /// <summary>The same work again, as after a reconnect: say once more that we have it.</summary>
    public sealed record Repeat(Run Run) : AssignDecision;

    /// <summary>The same work under a higher generation: go on, under that one.</summary>
    public sealed record Adopt(Run Run) : AssignDecision;

    /// <summary>The work was done before and the hub has forgotten it: its known outcome is said again, and no agent is woken.</summary>
    public sealed record SayAgain(Run Run) : AssignDecision;

    /// <summary>It cannot start yet, but may before the accept deadline: keep it in memory and decide again.</summary>
    /// <param name="Reason">The word for a refusal, if it comes to that.</param>
    /// <param name="Detail">One line for people.</param>
    /// <param name="IsDoor">The whole machine takes no work at present; otherwise only this assignment has to wait.</param>
    public sealed record Hold(string Reason, string Detail, bool IsDoor) : AssignDecision;

    /// <summary>Not ours to do now; nothing was stored.</summary>
    public sealed record Reject(string Reason, string Detail) : AssignDecision;
}

/// <summary>What an assignment is judged by.</summary>
/// <param name="Open">The run of the task that is not settled, or null.</param>
/// <param name="Settled">Settled runs of the task, newest generation first.</param>
/// <param name="SlotsTaken">Runs that take a slot.</param>
/// <param name="Slots">How many runs may go on at once.</param>
/// <param name="Closed">Why this machine takes no work, or null.</param>
/// <param name="HubTakesRejections">False for a version 1 hub, which counts a refusal as a failed attempt.</param>
internal sealed record AssignScene(
    Run? Open, IReadOnlyList<Run> Settled, int SlotsTaken, int Slots, Closure? Closed, bool HubTakesRejections);

/// <summary>Decides about an assignment from what is on disk. The order of the cases is the point: never a second run while one may live.</summary>
internal static class AssignRules
{
    public static AssignDecision Decide(HubMessage.TaskAssign assign, AssignScene scene)
    {
        var generation = assign.Generation ?? 0;
        if (scene.Open is { } open)
        {
            if (generation < open.Generation)
            {
                return new AssignDecision.Reject("stale_generation", $"generation {open.Generation} is already here");
            }

            if (IsContinuedBy(open, generation))
            {
                return generation > open.Generation ? new AssignDecision.Adopt(open) : new AssignDecision.Repeat(open);
            }
        }

        return OfSettled(scene.Settled, generation) ?? OfNewWork(scene);
    }

    // A run that is ending is never adopted: its agent is being stopped, so the assignment would end with it and nothing would be said.
    // A failure of the same generation is the exception: the hub still hears it.
    private static bool IsContinuedBy(Run open, long generation)
    {
        var same = generation == open.Generation;
        if (open.State.IsFinal())
        {
            // Finished work that the hub has not heard of is still the answer, whatever number the hub now asks under.
            return same || open.State == RunState.Completed;
        }

        return !open.IsEnding || (same && open.Facts is { CancelReason: null, SupersededBy: null });
    }

    // The hub gives out work that it was told about: it was restored from a backup. A completion counts under any generation. A
    // failure counts for the generations up to its own; a higher one is the hub's next attempt.
    private static AssignDecision? OfSettled(IReadOnlyList<Run> settled, long generation)
    {
        if (settled.FirstOrDefault(run => run.HubKnowsCompletion) is { } done)
        {
            return new AssignDecision.SayAgain(done);
        }

        var newer = settled.Where(run => run.Generation >= generation).ToList();
        if (newer.Count == 0)
        {
            return null;
        }

        var told = newer.Where(run => run.Outcome is RunState.Failed or RunState.HandedOff && run.Facts.HubRefusal is null).ToList();
        return told.Count > 0
            ? new AssignDecision.SayAgain(told.MinBy(run => run.Generation)!)
            : new AssignDecision.Reject("stale_generation", $"generation {newer[0].Generation} is already settled");
    }

    private static AssignDecision OfNewWork(AssignScene scene)
    {
        if (scene.Closed is { } closed && scene.HubTakesRejections)
        {
            return new AssignDecision.Reject(closed.Word, closed.Detail);
        }

        if (scene.Open is { ProcessMayLive: true } or { State: < RunState.Completed })
        {
            return new AssignDecision.Hold("agent_still_alive", "the agent of the last attempt has not ended yet", IsDoor: false);
        }

        if (scene.Closed is { } door)
        {
            return new AssignDecision.Hold(door.Word, door.Detail, IsDoor: true);
        }

        if (scene.SlotsTaken < scene.Slots)
        {
            return new AssignDecision.Start();
        }

        var busy = $"{scene.SlotsTaken} of {scene.Slots} slots are taken";
        return scene.HubTakesRejections
            ? new AssignDecision.Reject("busy", busy)
            : new AssignDecision.Hold("busy", busy, IsDoor: false);
    }
}
