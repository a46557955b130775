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

    /// <summary>Not ours to do now; nothing was stored.</summary>
    public sealed record Reject(string Reason, string Detail) : AssignDecision;
}

/// <summary>Decides about an assignment from what is on disk. The order of the cases is the point: never a second run while one may live.</summary>
internal static class AssignRules
{
    public static AssignDecision Decide(
        HubMessage.TaskAssign assign, Run? open, Run? settled, int slotsTaken, int slots, Closure? closed)
    {
        var generation = assign.Generation ?? 0;
        if (open is not null && generation < open.Generation)
        {
            return new AssignDecision.Reject("stale_generation", $"generation {open.Generation} is already here");
        }

        // Finished work that the hub has not heard of is still the answer, whatever number the hub now asks under.
        if (open is not null && (!open.State.IsFinal() || open.State == RunState.Completed || generation == open.Generation))
        {
            return generation > open.Generation ? new AssignDecision.Adopt(open) : new AssignDecision.Repeat(open);
        }

        if (settled is not null && generation <= settled.Generation)
        {
            return new AssignDecision.Reject("stale_generation", $"generation {settled.Generation} is already settled");
        }

        if (closed is not null)
        {
            return new AssignDecision.Reject(closed.Word, closed.Detail);
        }

        if (open is { ProcessMayLive: true })
        {
            return new AssignDecision.Reject("agent_still_alive", "the agent of the last attempt has not ended yet");
        }

        return slotsTaken < slots
            ? new AssignDecision.Start()
            : new AssignDecision.Reject("busy", $"{slotsTaken} of {slots} slots are taken");
    }
}
