using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Retention;

/// <summary>One look at everything that settled runs left, and the removal of what the rules say.</summary>
/// <remarks>
/// Directories first, rows second, the removed trees last. A crash after the first step leaves rows without directories, which
/// the next look finds by the same rules; a crash after the second leaves trees in <c>.removing</c>, which each look sweeps.
/// </remarks>
internal sealed class RetentionPass(SidecarConfig config, RetentionStore store, RunDirectories directories, ColdMirrors mirrors, Displaced displaced, Berths berths, TimeProvider time)
{
    // One commit and one removal for so many; the rest follows at once.
    private const int MaxRunsAtOnce = 256;
    private const long RecentMs = 60 * 60 * 1000;

    // An agent may write beside its report before the run that it belongs to is in the store.
    private static readonly TimeSpan ResultsStay = TimeSpan.FromMinutes(10);

    // They are no run's and will be none's, however lately they were written.
    private readonly HashSet<string> _givenUp = [];

    /// <summary>Looks, removes, and says what was done.</summary>
    /// <exception cref="SidecarException">The store cannot be read or written now; nothing is lost, the next look goes on.</exception>
    public async Task<RetentionOutcome> RunAsync(CancellationToken token)
    {
        if (berths.GiveUpUsed() is { } used)
        {
            _givenUp.Add(used);
        }

        var runs = await ReadAsync(token);
        var shortage = Shortage();
        var all = RetentionRules.Decide(runs, config.Retention, time.GetUtcNow().ToUnixTimeMilliseconds(), shortage);
        var removals = all.Take(MaxRunsAtOnce).ToList();
        var problems = new List<string>();
        var aside = await SetAsideAsync(removals, problems);
        if (aside.Count > 0)
        {
            CrashPoints.At(CrashPointName.RetentionMoved);
        }

        if (aside.Where(removal => removal is { Scope: RemovalScope.All, Run.HasRow: true }).Select(removal => removal.Run.Id).ToList() is { Count: > 0 } rows)
        {
            await store.RemoveAsync(rows);
            CrashPoints.At(CrashPointName.RetentionForgotten);
        }

        await TryAsync(() => directories.SweepAsync(token), problems);
        var before = time.GetUtcNow() - (shortage.IsNone ? ResultsStay : TimeSpan.Zero);
        await TryAsync(() => directories.SweepResultsAsync(store.OpenTasks(), before, token), problems);
        await TryAsync(() => directories.SweepOddNamesAsync(before, token), problems);
        var cleared = await displaced.SweepAsync(time.GetUtcNow(), !shortage.IsNone, problems, token);
        string? mirror = null;
        if (aside.Count == 0 && !shortage.IsNone)
        {
            await TryAsync(async () => mirror = await mirrors.RemoveOneAsync(token), problems);
        }

        await store.ShortenAsync(factsToo: !shortage.IsNone);
        await store.TrimAsync([.. config.Wake.Profiles.Select(profile => profile.Name), NoopProfile.Profile.Name]);
        var shrunk = Shrink(problems);
        return new RetentionOutcome(aside, mirror, shortage, MoreToDo: aside.Count > 0 && all.Count > removals.Count, shrunk, cleared, problems, View(runs, aside, shortage));
    }

    /// <summary>What the disk lacks to be clear of its floor.</summary>
    public DiskShortage Shortage()
    {
        try
        {
            return DiskShortage.Of(DiskSpace.At(config.StateDirectory), config.SelfTest);
        }
        catch (IOException)
        {
            return default; // The self-test says so.
        }
    }

    // Directories before rows: a run is in the store before its directory is its own.
    private async Task<List<RetainedRun>> ReadAsync(CancellationToken token)
    {
        var found = directories.List();
        _givenUp.IntersectWith(found.Keys);
        var (settled, open, ready) = (store.Settled(), store.Open(), berths.Waiting);
        var known = settled.Select(run => run.Id).ToHashSet();
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var orphans = found.Where(one => !known.Contains(one.Key) && !open.Contains(one.Key) && one.Key != ready)
            .Select(one => new RetainedRun(one.Key, "", one.Value - now > RecentMs ? 0 : one.Value, 0, 0, HasFiles: true, HasRow: false, Math.Abs(now - one.Value) < RecentMs && !_givenUp.Contains(one.Key) ? RetentionHold.Recent : null));
        var all = settled.Concat(orphans).ToList();
        var bytes = await directories.MeasureAsync([.. all.Select(run => run.Id).Where(found.ContainsKey)], token);
        return all.ConvertAll(run => run with
        {
            HasFiles = found.ContainsKey(run.Id),
            FileBytes = bytes.GetValueOrDefault(run.Id),
            Hold = run.Hold ?? (directories.HasWorkspace(run.Id) ? RetentionHold.Workspace : null),
        });
    }

    private async Task<List<Removal>> SetAsideAsync(List<Removal> removals, List<string> problems)
    {
        var aside = new List<Removal>();
        foreach (var removal in removals)
        {
            await TryAsync(async () =>
            {
                await directories.SetAsideAsync(removal.Run.Id);
                if (removal is { Scope: RemovalScope.All, Run.HasRow: true } && store.CountOthers(removal.Run.TaskId, removal.Run.Id) == 0)
                {
                    directories.RemoveReports(removal.Run.TaskId);
                }

                aside.Add(removal);
            }, problems);
        }

        return aside;
    }

    private bool Shrink(List<string> problems)
    {
        try
        {
            return store.Shrink();
        }
        catch (SidecarException full)
        {
            problems.Add($"the store keeps its size: {full.Message}");
            return false;
        }
    }

    private static async Task TryAsync(Func<Task> work, List<string> problems)
    {
        try
        {
            await work();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            problems.Add(fault.Message);
        }
    }

    private RetentionView View(List<RetainedRun> runs, List<Removal> gone, DiskShortage shortage)
    {
        var removed = gone.Where(removal => removal.Scope == RemovalScope.All).Select(removal => removal.Run.Id).ToHashSet();
        var emptied = gone.Select(removal => removal.Run.Id).ToHashSet();
        var kept = runs.Where(run => !removed.Contains(run.Id)).ToList();
        var (storeBytes, free) = store.Size();
        var damaged = Directory.GetFiles(config.StateDirectory, "state.db.damaged-*");
        return new RetentionView
        {
            Runs = kept.Count,
            Bytes = kept.Sum(run => run.RowBytes + (emptied.Contains(run.Id) ? 0 : run.FileBytes)),
            OldestAtUnixMs = kept.Count == 0 ? null : kept.Min(run => run.SettledAtUnixMs),
            WithoutFiles = kept.Count(run => !run.HasFiles || emptied.Contains(run.Id)),
            Held = [.. kept.Where(run => run.Hold is not null).GroupBy(run => run.Hold!).Select(group => new HeldRuns(group.Key, group.Count(), group.Sum(run => run.Bytes))).OrderBy(held => held.Why, StringComparer.Ordinal)],
            KeepRunsForSeconds = (long)config.Retention.KeepRunsFor.TotalSeconds,
            MinRuns = config.Retention.MinRuns,
            MaxRuns = config.Retention.MaxRuns,
            MaxRunBytes = config.Retention.MaxRunBytes,
            NearDiskFloor = !shortage.IsNone,
            StoreBytes = storeBytes,
            StoreFreeBytes = free,
            DamagedStoreFiles = damaged.Length,
            DamagedStoreBytes = damaged.Sum(file => PathFacts.Of(file)?.Length ?? 0),
        };
    }
}
