using FleetSidecar.SelfTest;

namespace FleetSidecar.Retention;

/// <summary>Which settled runs go. Pure.</summary>
/// <remarks>
/// In this order, each time the oldest first and never a run that something holds: by age, except the newest
/// <see cref="RetentionOptions.MinRuns"/>; by count; by bytes, except the newest run; and near the disk floor the files of as
/// many more as the disk lacks. Rows stay near the floor: what the sidecar knows of a task is worth more than the few kilobytes
/// that <see cref="ShortRow"/> leaves of it.
/// </remarks>
internal static class RetentionRules
{
    // How many runs give up their files where the disk lacks inodes: how many a directory has is not counted.
    private const int InodeBatch = 16;

    /// <param name="runs">Every settled run.</param>
    /// <param name="limits">The section of the configuration.</param>
    /// <param name="now">Unix milliseconds.</param>
    /// <param name="shortage">What the disk lacks to be clear of its floor.</param>
    /// <returns>What goes, oldest first.</returns>
    public static IReadOnlyList<Removal> Decide(IEnumerable<RetainedRun> runs, RetentionOptions limits, long now, DiskShortage shortage)
    {
        var free = runs.Where(run => run.Hold is null)
            .OrderByDescending(run => run.SettledAtUnixMs).ThenByDescending(run => run.Id, StringComparer.Ordinal).ToList();
        var gone = free.Where((run, rank) => rank >= limits.MaxRuns || (rank >= limits.MinRuns && IsOld(run, limits, now))).ToHashSet();
        AddForBytes(gone, free, limits.MaxRunBytes);
        var removals = gone.Select(run => new Removal(run, RemovalScope.All)).ToList();
        removals.AddRange(ForShortage(gone, free, shortage));
        return [.. removals.OrderBy(removal => removal.Run.SettledAtUnixMs).ThenBy(removal => removal.Run.Id, StringComparer.Ordinal)];
    }

    private static bool IsOld(RetainedRun run, RetentionOptions limits, long now) => now - run.SettledAtUnixMs > limits.KeepRunsFor.TotalMilliseconds;

    private static void AddForBytes(HashSet<RetainedRun> gone, List<RetainedRun> newestFirst, long most)
    {
        var bytes = newestFirst.Where(run => !gone.Contains(run)).Sum(run => run.Bytes);
        for (var rank = newestFirst.Count - 1; rank > 0 && bytes > most; rank--)
        {
            if (gone.Add(newestFirst[rank]))
            {
                bytes -= newestFirst[rank].Bytes;
            }
        }
    }

    private static IEnumerable<Removal> ForShortage(HashSet<RetainedRun> gone, List<RetainedRun> newestFirst, DiskShortage shortage)
    {
        var lacking = shortage.Bytes - gone.Sum(run => run.FileBytes);
        var atLeast = shortage.Inodes ? InodeBatch - gone.Count(run => run.HasFiles) : 0;
        foreach (var run in Enumerable.Reverse(newestFirst).Where(run => run.HasFiles && !gone.Contains(run)))
        {
            if (lacking <= 0 && atLeast <= 0)
            {
                yield break;
            }

            (lacking, atLeast) = (lacking - run.FileBytes, atLeast - 1);
            yield return new Removal(run, RemovalScope.Files);
        }
    }
}
