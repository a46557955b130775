using FleetSidecar.Retention;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

/// <summary>Which settled runs go: by age, count, bytes and near the disk floor; pure.</summary>
public sealed class RetentionRulesTests
{
    private const long Day = 24L * 60 * 60 * 1000, Now = 1000 * Day;

    [Fact]
    public void Old_runs_go_except_the_newest_that_are_kept_whatever_their_age()
    {
        var runs = Enumerable.Range(0, 10).Select(number => Run(number, ageDays: number)).ToList();

        var gone = Decide(runs, new RetentionOptions { KeepRunsFor = TimeSpan.FromDays(3), MinRuns = 6 });

        Assert.Equal([9, 8, 7, 6], gone.Select(Number)); // Oldest first; those of 4 and 5 days are among the newest six.
        Assert.All(gone, removal => Assert.Equal(RemovalScope.All, removal.Scope));
    }

    [Fact]
    public void More_runs_than_the_most_go_whatever_their_age()
    {
        var runs = Enumerable.Range(0, 10).Select(number => Run(number, ageDays: 0, atMs: number)).ToList();

        var gone = Decide(runs, new RetentionOptions { MinRuns = 2, MaxRuns = 7 });

        Assert.Equal([0, 1, 2], gone.Select(Number));
    }

    [Fact]
    public void Too_many_bytes_remove_the_oldest_until_the_rest_fits_and_never_the_newest()
    {
        var runs = Enumerable.Range(0, 5).Select(number => Run(number, ageDays: number, bytes: 100)).ToList();

        Assert.Equal([4, 3], Decide(runs, new RetentionOptions { MaxRunBytes = 350 }).Select(Number));
        Assert.Equal([4, 3, 2, 1], Decide(runs, new RetentionOptions { MaxRunBytes = 0 }).Select(Number));
        Assert.Empty(Decide(runs, new RetentionOptions { MaxRunBytes = 500 }));
    }

    [Fact]
    public void What_something_holds_stays_and_counts_for_no_limit()
    {
        var runs = Enumerable.Range(0, 6).Select(number => Run(number, ageDays: 100 + number, bytes: 100) with { Hold = number % 2 == 0 ? RetentionHold.Hub : null }).ToList();

        var gone = Decide(runs, new RetentionOptions { MinRuns = 0, MaxRuns = 2, KeepRunsFor = TimeSpan.FromDays(365), MaxRunBytes = 200 }, new DiskShortage(100, false));

        Assert.Equal([5], gone.Where(removal => removal.Scope == RemovalScope.All).Select(Number));
        Assert.DoesNotContain(gone, removal => removal.Run.Hold is not null);
    }

    [Fact]
    public void Near_the_floor_the_oldest_give_up_as_many_files_as_the_disk_lacks_and_keep_their_rows()
    {
        var runs = Enumerable.Range(0, 5).Select(number => Run(number, ageDays: 0, bytes: 100, atMs: number)).ToList();

        var gone = Decide(runs, new RetentionOptions(), new DiskShortage(Bytes: 150, Inodes: false));

        Assert.Equal([0, 1], gone.Select(Number));
        Assert.All(gone, removal => Assert.Equal(RemovalScope.Files, removal.Scope));
    }

    [Fact]
    public void Without_inodes_a_batch_of_the_oldest_goes_and_runs_that_have_no_files_do_not_count()
    {
        var runs = Enumerable.Range(0, 40).Select(number => Run(number, ageDays: 0, atMs: number) with { HasFiles = number >= 10 }).ToList();

        var gone = Decide(runs, new RetentionOptions(), new DiskShortage(0, Inodes: true));

        Assert.Equal(Enumerable.Range(10, 16), gone.Select(Number));
    }

    [Fact]
    public void A_clock_that_went_back_removes_nothing_by_age()
    {
        var runs = Enumerable.Range(0, 5).Select(number => Run(number, ageDays: -number)).ToList();

        Assert.Empty(Decide(runs, new RetentionOptions { KeepRunsFor = TimeSpan.Zero, MinRuns = 0 }));
    }

    [Fact]
    public void Whatever_there_is_the_limits_hold_afterwards_and_nothing_more_goes_than_they_ask_for()
    {
        const int Seed = 20240612;
        var random = new Random(Seed);
        for (var round = 0; round < 5000; round++)
        {
            var runs = Enumerable.Range(0, random.Next(40)).Select(number => Run(number, random.Next(30), random.Next(1000), random.Next(100)) with
            {
                HasFiles = random.Next(4) > 0, Hold = random.Next(5) == 0 ? RetentionHold.Workspace : null,
            }).ToList();
            var limits = new RetentionOptions { KeepRunsFor = TimeSpan.FromDays(random.Next(30)), MinRuns = random.Next(10), MaxRunBytes = random.Next(20_000) };
            limits.MaxRuns = limits.MinRuns + random.Next(20);
            var shortage = new DiskShortage(random.Next(3) == 0 ? random.Next(5000) : 0, random.Next(10) == 0);
            var because = $"seed {Seed}, round {round}";

            var gone = RetentionRules.Decide(runs, limits, Now, shortage);

            var all = gone.Where(removal => removal.Scope == RemovalScope.All).Select(removal => removal.Run).ToHashSet();
            var free = runs.Where(run => run.Hold is null).ToList();
            var kept = free.Where(run => !all.Contains(run)).ToList();
            Assert.True(gone.All(removal => removal.Run.Hold is null), because);
            Assert.True(gone.Select(removal => removal.Run.Id).Distinct().Count() == gone.Count, because);
            Assert.True(kept.Count <= limits.MaxRuns, because);
            Assert.True(kept.Sum(run => run.Bytes) <= limits.MaxRunBytes || kept.Count <= 1, because);
            Assert.True(kept.Count(run => Now - run.SettledAtUnixMs > limits.KeepRunsFor.TotalMilliseconds) <= limits.MinRuns, because);

            // Nothing that goes is newer than something free that stays, for rows and for files alike.
            Assert.True(all.Count == 0 || kept.All(run => run.SettledAtUnixMs >= all.Max(one => one.SettledAtUnixMs)), because);
            var lacking = shortage.Bytes - gone.Sum(removal => removal.Run.FileBytes);
            Assert.True(lacking <= 0 || kept.All(run => !run.HasFiles || gone.Any(removal => removal.Run == run)), because);
            Assert.Equal(gone, RetentionRules.Decide(runs.OrderBy(_ => random.Next()), limits, Now, shortage));
        }
    }

    private static IReadOnlyList<Removal> Decide(IEnumerable<RetainedRun> runs, RetentionOptions limits, DiskShortage shortage = default) =>
        RetentionRules.Decide(runs, limits, Now, shortage);

    private static int Number(Removal removal) => int.Parse(removal.Run.Id[4..], System.Globalization.CultureInfo.InvariantCulture);

    private static RetainedRun Run(int number, int ageDays, long bytes = 1, int atMs = 0) =>
        new($"run_{number:000}", $"task-{number}", Now - (ageDays * Day) + atMs, bytes, RowBytes: 0, HasFiles: true, HasRow: true, Hold: null);
}
