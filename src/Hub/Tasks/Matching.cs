namespace FleetHub.Tasks;

/// <summary>What matching needs to know of an agent.</summary>
internal sealed record Candidate(string AgentId, IReadOnlyCollection<string> Capabilities, int FreeSlots);

/// <summary>Who gets what. Pure and free: no model is asked.</summary>
internal static class Matching
{
    /// <summary>Pairs tasks (already in order) with agents; each agent gets at most as many as it has free slots.</summary>
    public static List<(TaskRecord Task, string AgentId)> Pair(IEnumerable<TaskRecord> tasks, IEnumerable<Candidate> candidates)
    {
        var free = candidates.ToDictionary(candidate => candidate.AgentId, candidate => candidate.FreeSlots);
        var able = candidates.ToList();
        var pairs = new List<(TaskRecord, string)>();
        foreach (var task in tasks)
        {
            var chosen = able
                .Where(agent => free[agent.AgentId] > 0 && CanDo(agent, task))
                .OrderByDescending(agent => free[agent.AgentId])
                .ThenBy(agent => agent.Capabilities.Count) // Leave the many-sided agents for the tasks that need them.
                .ThenBy(agent => agent.AgentId, StringComparer.Ordinal)
                .FirstOrDefault();
            if (chosen is not null)
            {
                free[chosen.AgentId]--;
                pairs.Add((task, chosen.AgentId));
            }
        }

        return pairs;
    }

    public static bool CanDo(Candidate agent, TaskRecord task) =>
        (task.Spec.AssignTo is null || task.Spec.AssignTo == agent.AgentId)
        && !task.HandedOffBy.Contains(agent.AgentId)
        && (task.Spec.NeededCapabilities ?? []).All(needed => agent.Capabilities.Contains(needed, StringComparer.OrdinalIgnoreCase));
}
