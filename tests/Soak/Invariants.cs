using System.Text.Json;

namespace FleetSidecar.Soak;

/// <summary>What must hold whatever was killed.</summary>
internal static class Invariants
{
    // Runs leave a handle or two to the collector; a leak leaves several for each of the quiet tasks.
    private const int HandlesMayGrow = QuietWork.Tasks;

    public static async Task<IReadOnlyList<string>> BrokenAsync(Fleet fleet, IReadOnlyList<JsonElement> tasks, (Footprint Before, Footprint After) quiet)
    {
        var broken = new List<string>();
        if (quiet.After.Handles > quiet.Before.Handles + HandlesMayGrow)
        {
            broken.Add($"the sidecar's handles grow with its work: {quiet.Before} → {quiet.After}");
        }

        var executions = fleet.Executions().ToLookup(one => one.Task);
        broken.AddRange(fleet.Overlaps().Select(task => $"{task}: two agents at once"));
        foreach (var task in tasks)
        {
            var id = task.GetProperty("id").GetString()!;
            var events = task.GetProperty("history").EnumerateArray().Select(entry => entry.GetProperty("event").GetString()).ToList();
            if (task.GetProperty("status").GetString() != "completed" || events.Count(name => name == "completed") != 1)
            {
                broken.Add($"{id}: not completed exactly once but {task.GetProperty("status").GetString()}: {task.GetProperty("history")}");
                continue;
            }

            if (task.GetProperty("result").GetProperty("commit").GetString() != await fleet.Origin.HeadAsync($"iris/{id}"))
            {
                broken.Add($"{id}: the origin does not hold the commit that was reported");
            }

            var generations = executions[id].Select(one => one.Generation).ToList();
            if (!generations.SequenceEqual(generations.Order().Distinct()))
            {
                broken.Add($"{id}: executed under generations {string.Join(", ", generations)}");
            }
        }

        return broken;
    }
}
