using System.Text.Json;
using FleetSidecar.Testing;

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

        broken.AddRange(await LeftoversAsync(fleet));
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

            var (reported, held) = (task.GetProperty("result").GetProperty("commit").GetString(), await fleet.Origin.HeadAsync($"iris/{id}"));
            if (reported != held)
            {
                broken.Add($"{id}: {reported} was reported and the origin holds {held}: {task.GetProperty("history")}\n{fleet.LogsOf(id)}");
            }

            var generations = executions[id].Select(one => one.Generation).ToList();
            if (!generations.SequenceEqual(generations.Order().Distinct()))
            {
                broken.Add($"{id}: executed under generations {string.Join(", ", generations)}");
            }
        }

        return broken;
    }

    // Whatever was killed in the middle of a removal, the next looks finish it: rows and directories are within the limit. One
    // directory more is the berth that waits for the next run.
    private static async Task<IReadOnlyList<string>> LeftoversAsync(Fleet fleet)
    {
        try
        {
            await Wait.ForAsync(async () => Directories(fleet) <= Fleet.KeptRuns + 1 && (await fleet.Sidecar.RunsAsync()).GetArrayLength() <= Fleet.KeptRuns
                && !Directory.Exists(Path.Combine(fleet.Sidecar.State, "runs", ".removing")) ? new object() : null, "settled runs to be removed");
            return [];
        }
        catch (TimeoutException)
        {
            var rows = (await fleet.Sidecar.RunsAsync()).EnumerateArray().Select(run => run.GetProperty("run_id").GetString()).ToHashSet();
            var strays = Directory.GetDirectories(Path.Combine(fleet.Sidecar.State, "runs"), "run_*").Where(path => !rows.Contains(Path.GetFileName(path)));
            return [$"settled runs stay: {Directories(fleet)} directories, {rows.Count} rows, limit {Fleet.KeptRuns}; without a row:{string.Concat(strays.Select(Describe))}"];
        }
    }

    private static string Describe(string directory) =>
        $"\n{directory}, written {Directory.GetLastWriteTimeUtc(directory):HH:mm:ss.fff}: {string.Join(' ', Directory.GetFiles(directory, "*", SearchOption.AllDirectories).Select(file => $"{file[(directory.Length + 1)..]}={new FileInfo(file).Length}"))}";

    private static int Directories(Fleet fleet) => Directory.GetDirectories(Path.Combine(fleet.Sidecar.State, "runs"), "run_*").Length;
}
