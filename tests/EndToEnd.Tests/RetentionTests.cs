using System.Globalization;
using System.Text;

namespace FleetSidecar.EndToEnd;

/// <summary>The disk does not fill: settled runs go by the limits and near the floor, output is bounded, and nothing goes that is still needed.</summary>
public sealed class RetentionTests : IDisposable
{
    private const long Mebibyte = 1024 * 1024;
    private const string Quick = """{ "workspace": { "keepFor": "00:00:00" }, "retention": { "interval": "00:00:01", "minRuns": 1, "maxRuns": 2 } }""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task L36_work_goes_on_near_the_disk_floor_because_what_old_runs_left_goes()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 64);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start\nhead -c 6000000 /dev/zero | tr '\\0' x | fold -w 200\nfleet-sidecar task complete --output ok");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent,
            """{ "workspace": { "keepFor": "00:00:00" }, "selfTest": { "diskFloorBytes": 16777216, "diskFloorInodes": 100 } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();

        for (var number = 0; number < 12; number++) // Half as much again as the disk holds.
        {
            await hub.WaitForAsync(await hub.AddAsync($"Print a lot, {number}"), "completed", TimeSpan.FromSeconds(60));
        }

        Assert.Equal(12, Scripts.Executions(_directory).Length);
        Assert.Contains("RunFilesRemoved]", sidecar.Program.Text, StringComparison.Ordinal);
        Assert.Equal(12, (await sidecar.RunsAsync()).GetArrayLength()); // Files go near the floor; what became of the tasks stays known.
        Assert.True(sidecar.Program.IsRunning);
    }

    // Not a byte is left: the store takes nothing, and the recorder cannot say how the agent ended.
    [Theory(Timeout = 180_000)]
    [InlineData("$FLEET_RUN_DIR")]
    [InlineData("$FLEET_WORKSPACE")]
    public async Task L36_a_run_whose_agent_filled_the_disk_ends_and_the_next_task_is_done(string place)
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 64);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\n[ -e \"$FLEET_TEST_DIR/go\" ] || {{ touch \"$FLEET_TEST_DIR/go\"; head -c 200M /dev/zero > \"{place}/fill\"; exit 3; }}\nfleet-sidecar task complete --output ok");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent,
            """{ "workspace": { "keepFor": "00:00:00" }, "retention": { "interval": "00:00:01" }, "deadlines": { "wallClock": "00:00:20" }, "selfTest": { "diskFloorBytes": 4000000, "diskFloorInodes": 100 } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();
        await Wait.UntilAsync(() => File.Exists(Path.Combine(sidecar.State, "reserve")), "the reserve");

        var task = await hub.AddAsync("Fill the disk", origin.Path, maxRetries: 0);
        await hub.WaitForAsync(task, "dead_letter", TimeSpan.FromSeconds(60));

        Assert.DoesNotContain("StoreUnavailable]", sidecar.Program.Text, StringComparison.Ordinal);
        if (place == "$FLEET_RUN_DIR")
        {
            await hub.WaitForAsync(await hub.AddAsync("The next one"), "completed", TimeSpan.FromSeconds(60)); // What the settled run left has gone.
        }
        else
        {
            await sidecar.WaitForStatusAsync(status => status.GetProperty("runs").GetArrayLength() == 0, "the slot to be free");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task What_a_killed_daemon_had_begun_for_the_next_run_goes_at_the_next_start_and_nothing_else_does()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        string[] begun = ["run_000000000001", "run_000000000002/wake-1", "run_000000000003/wake-1"], kept = ["run_000000000004/wake-1", "run_000000000005/other"];
        foreach (var place in begun.Concat(kept))
        {
            Directory.CreateDirectory(Path.Combine(sidecar.State, "runs", place));
        }

        await File.WriteAllTextAsync(Path.Combine(sidecar.State, "runs", "run_000000000003/wake-1/recorder"), "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(sidecar.State, "runs", "run_000000000004/wake-1/stdout"), "said", TestContext.Current.CancellationToken);
        foreach (var directory in RunDirectories(sidecar))
        {
            Directory.SetLastWriteTimeUtc(directory, TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-1));
        }

        await sidecar.StartAsync();

        await Wait.UntilAsync(() => !RunDirectories(sidecar).Any(path => begun.Any(one => path.EndsWith(one.Split('/')[0], StringComparison.Ordinal))), "the begun ones to go");
        Assert.All(kept, one => Assert.True(Directory.Exists(Path.Combine(sidecar.State, "runs", one)), one));
    }

    [Fact(Timeout = 120_000)]
    public async Task Settled_runs_beyond_the_limits_go_with_files_and_rows_and_status_says_what_is_kept()
    {
        using var hub = await TestHub.StartAsync(_directory);
        Scripts.Go(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory), Quick).StartAsync();
        for (var number = 0; number < 5; number++)
        {
            await hub.WaitForAsync(await hub.AddAsync($"Task {number}"), "completed");
        }

        await sidecar.WaitForStatusAsync(status => status.TryGetProperty("kept", out var kept) && kept.GetProperty("runs").GetInt32() == 2 && status.GetProperty("runs").GetArrayLength() == 0, "two kept runs");
        await Wait.ForAsync(async () => (await sidecar.RunsAsync()).GetArrayLength() == 2 ? new object() : null, "two rows"); // The view may be of a look before the last run.
        var runs = (await sidecar.RunsAsync()).EnumerateArray().Select(run => run.GetProperty("run_id").GetString()!).ToList();
        Assert.Equal(runs.Order(), RunDirectories(sidecar).Where(path => new FileInfo(Path.Combine(path, "task.json")).Length > 0).Select(path => Path.GetFileName(path)!).Order());
        Assert.Empty(Directory.GetDirectories(Path.Combine(sidecar.State, "runs"), ".removing"));
        Assert.InRange(Directory.GetFiles(Path.Combine(sidecar.State, "results")).Length, 0, 2);
        var text = await sidecar.CliAsync("status");
        Assert.Contains("kept      2 settled runs", text, StringComparison.Ordinal);
        Assert.Contains("limits (section retention): 14 days but always the newest 1, 2 runs", text, StringComparison.Ordinal);
        Assert.Contains("RunsRemoved]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_directory_that_an_agent_renamed_or_put_beside_those_of_runs_goes_when_it_is_old()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, """
            fleet-sidecar task start
            fleet-sidecar task complete
            runs=${FLEET_RUN_DIR%/*}
            mkdir "$runs/stranger" "$runs/younger"; echo x > "$runs/pipe-to-be"; ln -s / "$runs/run_0123456789ab"
            mv "$FLEET_RUN_DIR" "$runs/renamed"
            touch -h -d '2 hours ago' "$runs/renamed" "$runs/stranger" "$runs/pipe-to-be" "$runs/run_0123456789ab"
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent,
            """{ "retention": { "interval": "00:00:01", "minRuns": 0, "maxRuns": 0 } }""").StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        await Wait.UntilAsync(() => Directory.GetFileSystemEntries(Path.Combine(sidecar.State, "runs")).All(path =>
            Path.GetFileName(path) is "younger" or ".removing" || Path.GetFileName(path).StartsWith("run_", StringComparison.Ordinal) && !path.EndsWith("run_0123456789ab", StringComparison.Ordinal)), "only what is young or ours");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_run_whose_outcome_the_hub_has_not_heard_is_kept_whatever_the_limits_say()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_complete" && frame.GetProperty("task_id").GetString() == "task-1" ? "" : null;
        Scripts.Go(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory),
            """{ "agent": { "maxConcurrentRuns": 2 }, "retention": { "interval": "00:00:01", "minRuns": 0, "maxRuns": 0 } }""").StartAsync();
        foreach (var number in new[] { 1, 2 })
        {
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""");
            await hub.WaitForAsync("task_complete", number);
        }

        await sidecar.WaitForStatusAsync(status => status.TryGetProperty("kept", out var kept) && kept.GetProperty("runs").GetInt32() == 0 && status.GetProperty("runs").GetArrayLength() == 1, "one run that waits for the hub");
        await sidecar.Program.WaitForLineAsync("RunsRemoved]");
        var waiting = Assert.Single((await sidecar.RunsAsync()).EnumerateArray());
        Assert.Equal("task-1", waiting.GetProperty("task_id").GetString());
        Assert.True(Directory.Exists(waiting.GetProperty("directory").GetString()));

        hub.Answer = null; // Said again on the next connection, and then nothing holds it any more.
        hub.Drop();
        await Wait.ForAsync(async () => (await sidecar.RunsAsync()).GetArrayLength() == 0 ? new object() : null, "the run to be removed once the hub has heard of it");
        Assert.Single(hub.Of("task_complete"), frame => frame.GetProperty("task_id").GetString() == "task-2");
    }

    [Fact(Timeout = 180_000)]
    public async Task An_agent_that_prints_without_end_is_bounded_while_it_works_and_its_logs_say_what_was_dropped()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"""
            fleet-sidecar task start
            echo "the first line"
            head -c 150M /dev/zero | tr '\0' x | fold -w 99
            touch "$FLEET_TEST_DIR/half"
            {Scripts.WaitForGo}
            head -c 150M /dev/zero | tr '\0' y | fold -w 99
            echo; echo "the last line"
            fleet-sidecar task complete --output ok
            """);
        var profile = $$"""{ "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}"], "aliveFor": "00:00:01", "maxOutputBytes": {{16 * Mebibyte}} } ] } }""";
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, profile).StartAsync();
        var task = await hub.AddAsync("Say a great deal");
        await Wait.UntilAsync(() => File.Exists(_directory["half"]), "the first half", TimeSpan.FromSeconds(60));

        await Wait.ForAsync(async () => await RecordBytesAsync(sidecar) < 18 * Mebibyte ? new object() : null, "the middle to be freed while the agent works");
        var living = await sidecar.CliAsync("logs", task);
        Assert.StartsWith("the first line", living, StringComparison.Ordinal);
        Assert.Contains("[fleet-sidecar: ", living, StringComparison.Ordinal);
        Assert.DoesNotContain('\0', living);
        Scripts.Go(_directory);
        var done = await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(90));

        var dropped = done.GetProperty("result").GetProperty("output_dropped_bytes").GetInt64();
        Assert.InRange(dropped, 280 * Mebibyte, 300 * Mebibyte);
        Assert.InRange(await RecordBytesAsync(sidecar), 1, 13 * Mebibyte);
        var logs = await sidecar.CliAsync("logs", task);
        Assert.StartsWith("the first line", logs, StringComparison.Ordinal);
        Assert.EndsWith("the last line", logs, StringComparison.Ordinal);
        Assert.Contains($"\n[fleet-sidecar: {dropped} bytes of output dropped here]\n", logs, StringComparison.Ordinal);
        Assert.DoesNotContain('\0', logs);
        await sidecar.Program.WaitForLineAsync("OutputDropped]");
        Assert.Equal(dropped, (await sidecar.RunsAsync())[0].GetProperty("output_dropped_bytes").GetInt64());
    }

    [Fact(Timeout = 120_000)]
    public async Task Output_that_was_written_while_no_sidecar_lived_is_bounded_by_the_next_one()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"""
            fleet-sidecar task start
            {Scripts.WaitForGo}
            echo "the first line"
            head -c 40M /dev/zero | tr '\0' x | fold -w 99
            echo; echo "the last line"
            printf '%s' '{"{"}"status":"success","output":"ok"{"}"}' > "$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json"
            touch "$FLEET_TEST_DIR/printed"
            """);
        var profile = $$"""{ "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}"], "aliveFor": "00:00:01", "maxOutputBytes": {{4 * Mebibyte}} } ] } }""";
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, profile).StartAsync();
        var task = await hub.AddAsync("Speak alone");
        await sidecar.WaitForRunAsync("working");

        sidecar.Program.Kill();
        Scripts.Go(_directory);
        await Wait.UntilAsync(() => File.Exists(_directory["printed"]), "the output");
        await sidecar.StartAsync();

        await hub.WaitForAsync(task, "completed");
        Assert.InRange(await RecordBytesAsync(sidecar), 1, 4 * Mebibyte);
        Assert.EndsWith("the last line", await sidecar.CliAsync("logs", task), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("retention_moved")]
    [InlineData("retention_forgotten")]
    public async Task Killed_in_the_middle_of_a_removal_the_next_sidecar_finishes_it_and_loses_nothing_else(string point)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var crash = new CrashPoint(_directory, point);
        Scripts.Go(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory), Quick).StartAsync(crashPoint: crash);
        var tasks = new List<string>();
        for (var number = 0; number < 3; number++)
        {
            tasks.Add(await hub.AddAsync($"Task {number}"));
            await hub.WaitForAsync(tasks[^1], "completed");
        }

        await crash.ReachedAsync();
        Assert.Single(Directory.GetDirectories(Path.Combine(sidecar.State, "runs", ".removing")));
        sidecar.Program.Kill();
        await sidecar.StartAsync();

        await Wait.ForAsync(async () => !Directory.Exists(Path.Combine(sidecar.State, "runs", ".removing")) && (await sidecar.RunsAsync()).GetArrayLength() == 2 ? new object() : null, "the removal to be finished");
        Assert.Equal(tasks[1..].Order(), (await sidecar.RunsAsync()).EnumerateArray().Select(run => run.GetProperty("task_id").GetString()).Order());
        Assert.All((await sidecar.RunsAsync()).EnumerateArray(), run => Assert.True(Directory.Exists(run.GetProperty("directory").GetString())));
        Assert.Equal(3, Scripts.Executions(_directory).Length);
        await hub.WaitForAsync(await hub.AddAsync("One more"), "completed");
    }

    private static string[] RunDirectories(TestSidecar sidecar) => Directory.GetDirectories(Path.Combine(sidecar.State, "runs"), "run_*");

    private static async Task<long> RecordBytesAsync(TestSidecar sidecar)
    {
        var said = new StringBuilder();
        foreach (var record in RunDirectories(sidecar).Select(run => Path.Combine(run, "wake-1")).Where(record => File.Exists(Path.Combine(record, "stdout")) && new FileInfo(Path.Combine(record, "stdout")).Length > 0))
        {
            said.Append(await TestProgram.MustAsync("/usr/bin/du", "-s", "-B1", record));
        }

        return long.Parse(said.ToString().Split('\t')[0], CultureInfo.InvariantCulture);
    }
}
