using System.Globalization;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Retention;
using FleetSidecar.Runs;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Retention on a real store and real directories, with a clock of the test: what stays, what goes, what a crash leaves.</summary>
public sealed class RetentionPassTests : IDisposable
{
    private const long Mebibyte = 1024 * 1024;
    private static readonly string[] Reports = ["task-0.started", "task-0.json", "task-9.json", "notes.json"];
    private static readonly string[] Profiles = ["main", "old"], Repositories = ["borrowed", "cold", "warm"];
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);
    private readonly TempDir _directory = new();
    private readonly ProcessWatch _watch = new();
    private readonly Berths _berths;
    private readonly SidecarConfig _config;
    private readonly Clock _clock = new();
    private readonly Store _store;
    private int _count;
    private bool _repositoryInUse;

    public RetentionPassTests()
    {
        _config = Some.Config();
        _config.StateDirectory = _directory["state"];
        _config.SelfTest.DiskFloorBytes = _config.SelfTest.DiskFloorInodes = 0;
        Directory.CreateDirectory(_config.RunsDirectory);
        _store = StoreFile.Open(_config.DatabaseFile, RunStore.ApplicationId, Migrations.From(typeof(RunStore).Assembly), TimeProvider.System).Store;
        _berths = new Berths(_config, _watch, new Availability(), TimeProvider.System);
    }

    public void Dispose()
    {
        _berths.Dispose();
        _watch.Dispose();
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 300_000)]
    public async Task A_week_of_ten_thousand_short_runs_leaves_a_bounded_directory_and_a_bounded_store()
    {
        const int Runs = 10_000, Steps = 7 * 4;
        var (mostDirectories, mostBytes) = (0, 0L);
        for (var step = 0; step < Steps; step++)
        {
            await AddAsync((Runs / Steps) + 1, payload: 3000);
            _clock.Now += Week / Steps;
            await PassAsync();
            mostDirectories = Math.Max(mostDirectories, Directories().Count);
            mostBytes = Math.Max(mostBytes, _store.Size().Bytes);
        }

        Assert.True(_count >= Runs);
        Assert.Equal(_config.Retention.MaxRuns, mostDirectories);
        Assert.Equal(_config.Retention.MaxRuns, Rows());
        Assert.InRange(mostBytes, 3 * Mebibyte, 16 * Mebibyte);

        // And what the file has too much goes back to the disk once fewer are wanted.
        (_config.Retention.MinRuns, _config.Retention.MaxRuns) = (10, 10);
        await PassAsync();
        Assert.Equal(10, Directories().Count);
        Assert.Equal(10, Rows());
        Assert.InRange(new FileInfo(_config.DatabaseFile).Length, 1, 2 * Mebibyte);
        Assert.InRange(File.Exists(_config.DatabaseFile + "-wal") ? new FileInfo(_config.DatabaseFile + "-wal").Length : 0, 0, 8 * Mebibyte);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_run_that_is_open_unacknowledged_or_whose_workspace_is_kept_stays_whatever_the_limits_say()
    {
        await AddAsync(4);
        await _store.CommitAsync(db => db.Execute("UPDATE runs SET state = 'completed' WHERE run_id = ?1", Id(0)));
        await _store.CommitAsync(db => db.Execute("INSERT INTO outbox (message_id, run_id, task_id, kind, payload, created_at_unix_ms) VALUES ('m', ?1, 't', 'task_complete', '{}', 1)", Id(1)));
        Directory.CreateDirectory(Path.Combine(_config.WorkspacesDirectory, Id(2)));
        KeepNothing();

        var outcome = await PassAsync();

        Assert.Equal([Id(0), Id(1), Id(2)], Directories());
        Assert.Equal(3, Rows());
        Assert.Equal([(RetentionHold.Hub, 1), (RetentionHold.Workspace, 1)], outcome.View.Held.Select(held => (held.Why, held.Runs)));
        Assert.Equal(2, outcome.View.Runs);
        Assert.True(outcome.View.Bytes > 0);
    }

    [Fact(Timeout = 60_000)]
    public async Task Near_the_floor_files_of_the_oldest_go_at_once_and_the_store_still_knows_their_tasks()
    {
        await AddAsync(5);
        _config.SelfTest.DiskFloorBytes = long.MaxValue / 4;

        var outcome = await PassAsync();

        Assert.Empty(Directories());
        Assert.Equal(5, Rows());
        Assert.True(outcome.View is { NearDiskFloor: true, WithoutFiles: 5 });
    }

    [Fact(Timeout = 60_000)]
    public async Task What_a_crash_left_is_removed_by_the_next_look_and_a_row_without_directory_is_none_the_worse()
    {
        await AddAsync(3);
        Directory.CreateDirectory(Path.Combine(_config.RunsDirectory, ".removing"));
        Directory.Move(Path.Combine(_config.RunsDirectory, Id(0)), Path.Combine(_config.RunsDirectory, ".removing", Id(0))); // Killed after the move:
        Directory.Move(Path.Combine(_config.RunsDirectory, Id(1)), Path.Combine(_config.RunsDirectory, ".removing", Id(1)));
        await _store.CommitAsync(db => db.Execute("DELETE FROM runs WHERE run_id = ?1", Id(1))); // or after the row was gone.

        var outcome = await PassAsync();

        Assert.False(Directory.Exists(Path.Combine(_config.RunsDirectory, ".removing")));
        Assert.Equal([Id(2)], Directories());
        Assert.Equal(2, Rows());
        Assert.Equal(1, outcome.View.WithoutFiles);
        KeepNothing();
        await PassAsync();
        Assert.Equal(0, Rows());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_directory_that_no_row_knows_follows_the_same_limits_and_one_that_was_just_made_is_left_alone()
    {
        var (old, recent) = (Path.Combine(_config.RunsDirectory, Id(90)), Path.Combine(_config.RunsDirectory, Id(91)));
        Directory.CreateDirectory(old);
        Directory.CreateDirectory(recent);
        Directory.CreateDirectory(Path.Combine(_config.RunsDirectory, "renamed"));
        Directory.SetLastWriteTimeUtc(old, _clock.Now.UtcDateTime.AddDays(-20));
        Directory.SetLastWriteTimeUtc(recent, _clock.Now.UtcDateTime);

        await PassAsync();
        Assert.True(Directory.Exists(old)); // Among the newest hundred.
        KeepNothing();
        await PassAsync();

        Assert.False(Directory.Exists(old));
        Assert.True(Directory.Exists(recent));
        Assert.False(Directory.Exists(Path.Combine(_config.RunsDirectory, "renamed"))); // Without units the place is ours alone, so an agent has renamed it.
    }

    [Fact(Timeout = 60_000)]
    public async Task Links_that_an_agent_planted_lead_a_removal_nowhere()
    {
        var precious = _directory.Write("precious/data", "x");
        await AddAsync(1);
        var run = Path.Combine(_config.RunsDirectory, Id(0));
        File.CreateSymbolicLink(Path.Combine(run, "away"), Path.GetDirectoryName(precious)!);
        Directory.Delete(Path.Combine(run, "wake-1"), recursive: true);
        File.CreateSymbolicLink(Path.Combine(run, "wake-1"), Path.GetDirectoryName(precious)!);
        Directory.CreateDirectory(_config.ResultsDirectory);
        File.CreateSymbolicLink(Path.Combine(_config.ResultsDirectory, "task-0.json"), precious);
        KeepNothing();

        await PassAsync();

        Assert.False(Directory.Exists(run));
        Assert.Empty(Directory.GetFileSystemEntries(_config.ResultsDirectory));
        Assert.Equal("x", await File.ReadAllTextAsync(precious));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_agents_left_in_our_results_directory_goes_whatever_its_date_and_its_name()
    {
        _clock.Now = TimeProvider.System.GetUtcNow();
        Directory.CreateDirectory(_config.ResultsDirectory);
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{_config.ResultsDirectory}' && touch -d @4070908800 ahead && mkdir deep && touch fresh \"$(printf 'b\\351te')\" && touch -d @1000000000 old deep \"$(printf '\\377')\" && touch -d @4070908800 \"$(printf 'c\\351')\"");

        await PassAsync();

        Assert.Equal(["b\uFFFDte", "fresh"], Directory.GetFileSystemEntries(_config.ResultsDirectory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
    }

    [Fact(Timeout = 60_000)]
    public async Task Report_files_go_with_the_last_run_of_their_task_and_files_of_others_stay()
    {
        _config.Agent.ResultsDirectory = _config.ResultsDirectory; // Named by the operator: other things may lie there.
        await AddAsync(1);
        Directory.CreateDirectory(_config.ResultsDirectory);
        foreach (var name in Reports)
        {
            await File.WriteAllTextAsync(Path.Combine(_config.ResultsDirectory, name), "");
        }

        KeepNothing();
        await PassAsync();

        Assert.Equal(Reports[2..].Order(), Directory.GetFiles(_config.ResultsDirectory).Select(path => Path.GetFileName(path)!).Order());
    }

    [Fact(Timeout = 60_000)]
    public async Task Incidents_beyond_the_newest_and_breakers_of_profiles_that_are_gone_are_removed()
    {
        await _store.CommitAsync(db => Enumerable.Range(0, 500).Sum(number => db.Execute("INSERT INTO incidents (code, detail, at_unix_ms) VALUES ('x', ?1, ?2)", $"{number}", (long)number)));
        await _store.CommitAsync(db => Profiles.Sum(profile => db.Execute("INSERT INTO breakers (profile, failures, last_code) VALUES (?1, 1, 'auth')", profile)));

        await PassAsync();

        Assert.Equal(RetentionStore.MaxIncidents, _store.Read(db => db.Number("SELECT COUNT(*) FROM incidents")));
        Assert.Equal(500 - RetentionStore.MaxIncidents, _store.Read(db => db.Number("SELECT MIN(at_unix_ms) FROM incidents")));
        Assert.Equal(["main"], _store.Read(db => db.Query("SELECT profile FROM breakers", row => row.Text(0))));
    }

    [Fact(Timeout = 60_000)]
    public async Task Near_the_floor_the_mirror_that_was_unused_for_longest_goes_unless_a_workspace_borrows_from_it()
    {
        string[] mirrors = [.. Repositories.Select(name => Path.Combine(_config.MirrorsDirectory, Mirrors.NameOf(name)))];
        for (var index = 0; index < mirrors.Length; index++)
        {
            Directory.CreateDirectory(mirrors[index]);
            Directory.SetLastWriteTimeUtc(mirrors[index], DateTime.UnixEpoch.AddDays(index));
        }

        var workspace = Directory.CreateDirectory(Path.Combine(_config.WorkspacesDirectory, Id(7))).FullName;
        new WorkspaceMark { RunId = Id(7), TaskId = "t", Generation = 1, Agent = "iris", BeganAtUnixMs = 1, Repository = Repositories[0], Branch = "b", Base = "c" }.Write(workspace);
        _config.SelfTest.DiskFloorBytes = long.MaxValue / 4;

        _repositoryInUse = true;
        Assert.Null((await PassAsync()).Mirror);
        _repositoryInUse = false;

        Assert.Equal(mirrors[1], (await PassAsync()).Mirror);
        Assert.Equal(mirrors[2], (await PassAsync()).Mirror);
        Assert.Null((await PassAsync()).Mirror);
        Assert.Equal([mirrors[0]], Directory.GetDirectories(_config.MirrorsDirectory));
    }

    [Theory(Timeout = 60_000), Trait("kind", "a name that is more than one line")]
    [InlineData("x\nabc\ty"), InlineData("x\n12\trun_000000000001"), InlineData("x\n")]
    public async Task A_directory_whose_name_is_lines_stops_no_pass_and_goes_like_the_others(string name)
    {
        Directory.CreateDirectory(Path.Combine(_config.RunsDirectory, name));
        _clock.Now = TimeProvider.System.GetUtcNow() + TimeSpan.FromDays(100);
        KeepNothing();
        await PassAsync();
        Assert.DoesNotContain(Directory.GetFileSystemEntries(_config.RunsDirectory), path => Path.GetFileName(path) != ".removing");
    }

    [Fact(Timeout = 60_000)]
    public async Task A_directory_from_the_future_costs_no_run_its_place()
    {
        await AddAsync(2);
        var ahead = Directory.CreateDirectory(Path.Combine(_config.RunsDirectory, "run_ffffffffffff")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(ahead, "large"), new byte[_config.Retention.MaxRunBytes = Mebibyte]);
        Directory.SetLastWriteTimeUtc(ahead, _clock.Now.UtcDateTime.AddYears(5));
        await PassAsync();
        Assert.Equal([Id(0), Id(1)], Directories().Where(name => name != "run_ffffffffffff"));
    }

    [Fact]
    public async Task What_agents_leave_among_the_reports_goes_when_no_open_run_can_mean_it()
    {
        await AddAsync(1);
        await _store.CommitAsync(db => db.Execute("UPDATE runs SET state = 'accepted', task_id = 'task-open'"));
        var results = Directory.CreateDirectory(_config.ResultsDirectory).FullName;
        foreach (var name in new[] { "task-open.started", "task-open.log", "task-gone.started", "task-gone.json.tmp", "notes" })
        {
            await File.WriteAllTextAsync(Path.Combine(results, name), "x");
        }

        Directory.CreateDirectory(Path.Combine(results, "task-gone.d", "deep"));
        File.CreateSymbolicLink(Path.Combine(results, "link"), "/etc/passwd");
        _clock.Now = TimeProvider.System.GetUtcNow();
        await PassAsync();
        Assert.Equal(7, Directory.GetFileSystemEntries(results).Length); // An agent may still be writing.

        _clock.Now = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(11);
        await PassAsync();

        Assert.Equal(["task-open.log", "task-open.started"], Directory.GetFileSystemEntries(results).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
    }

    [Fact(Timeout = 60_000)]
    public async Task Long_rows_of_settled_runs_become_short_and_say_of_the_task_what_they_said_before()
    {
        await AddAsync(4);
        var (attached, words) = (new string('m', 900_000), new string('w', 60_000));
        foreach (var (number, state) in new[] { (0, "settled"), (1, "settled"), (2, "working") })
        {
            await _store.CommitAsync(db => db.Execute("UPDATE runs SET state = ?2, pid = NULL, assignment = ?3, facts = ?4 WHERE run_id = ?1", Id(number), state,
                $$"""{"task_id":"task-{{number}}","description":"do it","generation":7,"repo":"ssh://h/r","branch":"main","metadata":"{{attached}}"}""",
                $$"""{"branch":"iris/task","base_commit":"abc","delivered":true,"hub_answer":"complete","report":{"status":"success","output":"{{words}}"} }"""));
        }

        await _store.CommitAsync(db => db.Execute("INSERT INTO outbox (message_id, run_id, task_id, kind, payload, created_at_unix_ms) VALUES ('m', ?1, 't', 'task_complete', '{}', 1)", Id(1)));
        await _store.CommitAsync(db => db.Execute("UPDATE runs SET assignment = ?2 WHERE run_id = ?1", Id(3), new string('x', 50_000)));

        await PassAsync();

        Assert.Equal([true, false, false, false], Lengths().Select(row => row.Assignment < 1000));
        Assert.All(Lengths().Take(3), row => Assert.InRange(row.Facts, 60_000, 61_000));
        _config.SelfTest.DiskFloorBytes = long.MaxValue / 4;
        await PassAsync();
        Assert.InRange(Lengths()[0].Facts, 1000, 2000);
        Assert.InRange(Lengths()[1].Facts, 60_000, 61_000); // The hub has not heard of it.
        var run = new RunStore(_store, _config.Wake).Find(Id(0))!;
        Assert.Equal(("do it", "ssh://h/r", "main", 7L), (run.Assignment.Description, run.Assignment.Repo, run.Assignment.Branch, run.Assignment.Generation));
        Assert.Equal((RunState.Completed, true, "iris/task", "abc"), (run.Outcome, run.HubKnowsCompletion, run.Facts.Branch, run.Facts.BaseCommit));
        Assert.Null(run.Assignment.Metadata);
        Assert.InRange(_store.Size().Bytes, 1, 5 * Mebibyte); // Of nearly three megabytes one could go, and it stands in the file as free pages.
    }

    [Fact(Timeout = 60_000)]
    public async Task Names_that_are_no_text_go_from_the_directories_of_runs_and_of_reports()
    {
        await AddAsync(1);
        Directory.CreateDirectory(_config.ResultsDirectory);
        foreach (var place in new[] { _config.RunsDirectory, _config.ResultsDirectory })
        {
            await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{place}' && mkdir -p $'\\xff/deep' && echo x >$'\\xfe' && ln -s /etc $'\\xfd' && chmod 000 $'\\xff/deep' && touch -h -d '2 hours ago' $'\\xff' $'\\xfe' $'\\xfd'");
        }

        await TestProgram.MustAsync("/bin/bash", "-c", $"echo x >'{_config.RunsDirectory}'/$'\\xfcnew'");
        _clock.Now = TimeProvider.System.GetUtcNow();
        await PassAsync();

        Assert.Equal(2, Directory.GetFileSystemEntries(_config.RunsDirectory).Length);
        Assert.Empty(Directory.GetFileSystemEntries(_config.ResultsDirectory));
        Assert.Equal([Id(0)], Directories());
    }

    // An agent of the same user put 220 MB into the directory that waits for the next run: no work was taken any more until a restart.
    [Theory(Timeout = 120_000), Trait("kind", "what lies where no rule looks fills the disk")]
    [InlineData("echo x >\"$1/big\""), InlineData("echo x >>\"$1/wake-1/stdout\""), InlineData("mv \"$1\" \"$1-away\"; ln -s /dev \"$1\""), InlineData("rm -rf \"$1\"")]
    public async Task A_directory_that_waits_for_a_run_goes_once_somebody_has_been_in_it(string act)
    {
        await _berths.RefillAsync(Some.Profile(), CancellationToken.None);
        KeepNothing();
        var waiting = _berths.Waiting!;
        await PassAsync();
        Assert.Equal(waiting, _berths.Waiting);

        await TestProgram.MustAsync("/bin/sh", "-c", act, "sh", Path.Combine(_config.RunsDirectory, waiting));
        await PassAsync();

        Assert.Null(_berths.Waiting);
        _clock.Now = TimeProvider.System.GetUtcNow() + TimeSpan.FromDays(30);
        await PassAsync();
        Assert.Empty(Directory.GetFileSystemEntries(_config.RunsDirectory, "run_*"));
        await _berths.RefillAsync(Some.Profile(), CancellationToken.None);
        Assert.NotNull(_berths.Waiting);
    }

    private List<(long Assignment, long Facts)> Lengths() => _store.Read(db => db.Query("SELECT length(assignment), length(facts) FROM runs ORDER BY run_id", row => (row.Number(0), row.Number(1))));

    private static string Id(int number) => $"run_{number:x12}";

    private void KeepNothing() => (_config.Retention.MinRuns, _config.Retention.MaxRuns) = (0, 0);

    private long Rows() => _store.Read(db => db.Number("SELECT COUNT(*) FROM runs"));

    private List<string> Directories() => [.. Directory.GetDirectories(_config.RunsDirectory, "run_*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private async Task<RetentionOutcome> PassAsync()
    {
        var tools = new ToolRunner(TimeProvider.System);
        var directories = new RunDirectories(_config, new DetachedHost(_config, _berths, _watch, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<DetachedHost>.Instance), tools);
        var pass = new RetentionPass(_config, new RetentionStore(_store), directories, new ColdMirrors(_config, () => _repositoryInUse, tools), new Displaced(_config, tools, TimeProvider.System), _berths, _clock);
        RetentionOutcome outcome;
        do
        {
            outcome = await pass.RunAsync(CancellationToken.None);
            Assert.Empty(outcome.Problems);
        }
        while (outcome.MoreToDo);

        return outcome;
    }

    // Settled runs as they are found in the store, with the files that a short run leaves.
    private async Task AddAsync(int count, int payload = 10)
    {
        var first = _count;
        await _store.CommitAsync(db => Enumerable.Range(first, count).Sum(number => db.Execute(
            """
            INSERT INTO runs (run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, facts, created_at_unix_ms, state_since_unix_ms)
            VALUES (?1, ?2, 1, 'settled', 'n', 'main', ?3, 1, '{}', ?4, ?4)
            """,
            Id(number), $"task-{number.ToString(CultureInfo.InvariantCulture)}", new string('x', payload), _clock.Now.ToUnixTimeMilliseconds() + number - first)));
        foreach (var number in Enumerable.Range(first, count))
        {
            var record = Path.Combine(_config.RunsDirectory, Id(number), "wake-1");
            Directory.CreateDirectory(record);
            await File.WriteAllTextAsync(Path.Combine(record, "stdout"), "done\n");
        }

        _count += count;
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(60);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
