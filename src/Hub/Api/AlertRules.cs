using FleetHub.Agents;
using FleetHub.Tasks;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Api;

/// <summary>What is wrong, read off the state of the fleet. Pure. An alert is there while its cause is.</summary>
internal static class AlertRules
{
    private const long Overdue = 10 * 60 * 1000;

    public static IEnumerable<Alert> Find(IReadOnlyList<AgentView> agents, IReadOnlyList<TaskRecord> tasks, string? damagedFile, long now)
    {
        if (damagedFile is not null)
        {
            yield return new("hub_store_damaged", "critical", $"the hub's store was damaged at the last start and moved to {damagedFile}", "tasks in it are missing here; recover them from that file or from a backup", false);
        }

        if (agents.All(agent => agent.Status is "offline" or "unavailable") && tasks.Any(task => !task.IsFinal))
        {
            yield return new("no_agent", "critical", $"{tasks.Count(task => !task.IsFinal)} tasks wait and no agent can take one", "look at 'fleet-sidecar status' on the machines", false);
        }

        foreach (var agent in agents)
        {
            foreach (var alert in About(agent, tasks))
            {
                yield return alert;
            }
        }

        var dead = tasks.Where(task => task.Status == TaskStatus.DeadLetter).ToList();
        if (dead.Count > 0)
        {
            yield return new("dead_letter", "warning", $"{dead.Count} tasks failed every attempt; the newest: {dead[0].Id}: {dead[0].LastError}", "mend the cause, then 'fleet-hub task retry ID', or cancel it", false);
        }

        foreach (var task in tasks.Where(task => task.Status == TaskStatus.Queued && agents.Count > 0 && !agents.Any(agent => CanDo(agent, task))))
        {
            yield return new($"no_match.{task.Id}", "warning", $"no agent can do {task.Id}: it needs {Needs(task)}", "add an agent with these capabilities, or cancel the task", false);
        }

        foreach (var task in tasks.Where(task => !task.IsFinal && (task.Spec.CompleteBy < now || (task.Status == TaskStatus.Queued && now - task.UpdatedAt > Overdue))))
        {
            yield return new($"waiting.{task.Id}", "warning", $"{task.Id} is {task.Status} for {(now - task.UpdatedAt) / 60000} min{(task.Spec.CompleteBy < now ? " and past its complete_by" : "")}", "see 'fleet-hub task show ID' for its history", false);
        }
    }

    private static IEnumerable<Alert> About(AgentView agent, IReadOnlyList<TaskRecord> tasks)
    {
        var held = tasks.Count(task => task.IsHeld && task.AssignedTo == agent.AgentId);
        if (agent.Status == "offline" && held > 0)
        {
            yield return new($"offline.{agent.AgentId}", "critical", $"{agent.AgentId} is away and holds {held} tasks; they stay with it until the lease ends", "look at the machine and its network", false);
        }

        if (agent.Status == "unavailable")
        {
            yield return new($"unavailable.{agent.AgentId}", "warning", $"{agent.AgentId} is connected but takes no work: {agent.UnavailableReason ?? "no heartbeat yet"}", "run 'fleet-sidecar status' there", false);
        }

        foreach (var incident in agent.Incidents ?? [])
        {
            yield return new($"incident.{agent.AgentId}.{incident.Code}", "critical", $"{agent.AgentId}: {incident.Detail}", HintFor(incident.Code), false);
        }
    }

    private static string HintFor(string incident) => incident switch
    {
        "store_damaged" => "keep that file; it is the evidence of what was lost",
        IdentityWatch.Code => "give each machine an agent id and a token of its own; 'fleet-sidecar status' on a machine says which id it uses",
        _ when incident.StartsWith("identity_", StringComparison.Ordinal) => "run 'fleet-sidecar identity check' there; docs/identity.md says what to do",
        _ when incident.StartsWith("member_", StringComparison.Ordinal) || incident == "heartbeat_stale" => "run 'fleet-sidecar supervise list' there; docs/supervise.md says what to do",
        _ => "run 'fleet-sidecar status' and 'fleet-sidecar doctor' there",
    };

    private static bool CanDo(AgentView agent, TaskRecord task) => Matching.CanDo(new Candidate(agent.AgentId, [.. agent.Capabilities], 1), task);

    private static string Needs(TaskRecord task) => (task.Spec.AssignTo is { } named ? $"the agent {named}" : string.Join(", ", task.Spec.NeededCapabilities ?? ["any agent"]))
        + (task.HandedOffBy.Count > 0 ? $", other than {string.Join(", ", task.HandedOffBy)}, who handed it off" : "");
}
