namespace FleetSidecar.EndToEnd;

/// <summary>A disk that is full or read-only and a database that somebody else holds: said clearly to everybody, nothing lost, and over by itself.</summary>
public sealed class DiskFaultTests : IDisposable
{
    private const string NoFloor = """{ "selfTest": { "interval": "00:00:01", "diskFloorBytes": 0, "diskFloorInodes": 0 } }""";
    private const string NoRight = "this user may not mount a file system";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_full_disk_under_a_working_run_loses_nothing_and_the_next_one_works_when_there_is_room()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 8);
        Assert.SkipWhen(disk is null, NoRight);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start\n" + Scripts.WaitForGo + "\nfleet-sidecar task complete --output \"done by $$\" || true");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, NoFloor).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        await Wait.UntilAsync(() => File.Exists(Path.Combine(sidecar.State, "reserve")), "the reserve, however small the disk is");
        var pid = Scripts.Executions(_directory)[0].Split(' ')[0];

        disk.Fill();
        Scripts.Go(_directory);

        var complete = await hub.WaitForAsync("task_complete");
        Assert.Equal($"done by {pid}", complete.GetProperty("result").GetProperty("output").GetString());
        Assert.DoesNotContain("StoreUnavailable]", sidecar.Program.Text, StringComparison.Ordinal);
        disk.Free();
        await sidecar.WaitForAvailableAsync();
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 2);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_sidecar_that_dies_on_a_full_disk_says_so_at_each_start_and_adopts_its_agent_when_there_is_room()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 8);
        Assert.SkipWhen(disk is null, NoRight);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory), NoFloor).StartAsync();
        var task = await hub.AddAsync("Sit it out");
        await sidecar.WaitForRunAsync("working");

        await Wait.UntilAsync(() => File.Exists(Path.Combine(sidecar.State, "reserve")), "the reserve");
        sidecar.Program.Kill();
        File.Delete(Path.Combine(sidecar.State, "reserve")); // Somebody took it, and the room of the log.
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(sidecar.State, "state.db"), "PRAGMA wal_checkpoint(TRUNCATE)");
        disk.Fill();
        await sidecar.StartAsync(waitForLink: false);
        Assert.Equal(1, await sidecar.Program.EndAsync()); // Not 78: the supervisor tries again.
        Assert.True(sidecar.Program.Text.Contains("no space left", StringComparison.OrdinalIgnoreCase), sidecar.Program.Text);
        disk.Free();
        await sidecar.StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync(task, "completed");
        Assert.Single(Scripts.Executions(_directory));
        Assert.Empty(Directory.GetFiles(sidecar.State, "*damaged*"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_read_only_state_directory_is_named_as_such_and_costs_nothing_once_it_can_be_written_again()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 8);
        Assert.SkipWhen(disk is null, NoRight);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Agent(_directory, "exec >/dev/null 2>&1\nfleet-sidecar task start\n" + Scripts.WaitForGo), NoFloor).StartAsync();
        var task = await hub.AddAsync("Wait for the disk");
        await sidecar.WaitForRunAsync("working");
        sidecar.Program.Kill();
        await EndAgentsAsync(sidecar); // A disk on which somebody writes cannot be made read-only.

        await disk.RemountAsync("ro");
        await sidecar.StartAsync(waitForLink: false);
        Assert.Equal(1, await sidecar.Program.EndAsync()); // Not 78: the supervisor tries again.
        Assert.Contains("read-only", sidecar.Program.Text, StringComparison.OrdinalIgnoreCase);
        await disk.RemountAsync("rw");
        await sidecar.StartAsync();

        var failed = await hub.WaitForAsync(task, "dead_letter");
        Assert.StartsWith("agent_", failed.GetProperty("last_error").GetString(), StringComparison.Ordinal); // Known, and not forgotten.
        Assert.Single(Scripts.Executions(_directory));
        Assert.Empty(Directory.GetFiles(sidecar.State, "*damaged*"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_database_that_another_program_holds_delays_the_outcome_and_not_the_heartbeats()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start\n" + Scripts.WaitForGo + "\nprintf '{\"status\":\"success\",\"output\":\"kept\"}' > \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, NoFloor).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");

        using var holder = Scripts.HoldDatabase(_directory);
        await holder.WaitForLineAsync("held");
        Scripts.Go(_directory);
        await sidecar.Program.WaitForLineAsync("is locked by another program");
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean() && Text(beat, "unavailable_reason").Contains("locked", StringComparison.Ordinal), "that the store is locked");
        var beats = hub.Of("heartbeat").Count();
        await hub.WaitForAsync("heartbeat", beats + 2, TimeSpan.FromSeconds(15));
        Assert.Empty(hub.Of("task_complete"));
        _directory.Write("release", "");

        var complete = await hub.WaitForAsync("task_complete");
        Assert.Equal("kept", complete.GetProperty("result").GetProperty("output").GetString());
        await sidecar.Program.WaitForLineAsync("StoreRecovered]");
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available again");
        Assert.Equal(1, hub.Identified);
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_state_directory_that_is_out_of_reach_for_a_while_ends_neither_the_link_nor_the_agent()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "selfTest": { "interval": "00:00:01" } }""").StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");

        Directory.Move(sidecar.State, sidecar.State + "-away");
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean() && beat.ToString().Contains("\"disk\"", StringComparison.Ordinal), "that the disk is out of reach");
        await hub.WaitForAsync("heartbeat", hub.Of("heartbeat").Count() + 2);
        Directory.Move(sidecar.State + "-away", sidecar.State);

        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean() || beat.GetProperty("state").GetString() == "working", "at work");
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete");
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available again");
        Assert.Equal(1, hub.Identified);
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task L29_below_the_disk_floor_nothing_is_accepted_and_a_lower_floor_takes_work_again()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "selfTest": { "diskFloorBytes": 4611686018427387904 } }""").StartAsync();

        var beat = await hub.WaitForBeatAsync(beat => beat.TryGetProperty("self_test", out _), "what the self-test found");
        Assert.False(beat.GetProperty("available").GetBoolean());
        Assert.Equal("disk", Assert.Single(beat.GetProperty("self_test").GetProperty("failed").EnumerateArray()).GetString());
        await hub.SendAsync(Assign(1));
        var rejected = await hub.WaitForAsync("task_rejected");
        Assert.Equal("unavailable", rejected.GetProperty("reason").GetString());
        Assert.Contains("the floor is", rejected.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await sidecar.Program.WaitForLineAsync("SelfTestFailed]");

        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());
        await sidecar.StartAsync(environment: new Dictionary<string, string?> { ["FLEET_SIDECAR__SelfTest__DiskFloorBytes"] = "1" });
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available");
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));

        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task L29_a_disk_that_fills_up_below_the_floor_is_noticed_at_the_assignment_itself()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], megabytes: 16);
        Assert.SkipWhen(disk is null, NoRight);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "selfTest": { "diskFloorBytes": 4194304, "diskFloorInodes": 0 } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();

        await Wait.UntilAsync(() => File.Exists(Path.Combine(sidecar.State, "reserve")), "the reserve");
        await File.WriteAllBytesAsync(Path.Combine(sidecar.State, "ballast"), new byte[new DriveInfo(sidecar.State).AvailableFreeSpace - (3 * 1024 * 1024)]);
        await hub.SendAsync(Assign(1)); // Minutes before the next self-test.
        Assert.Contains("the floor is", (await hub.WaitForAsync("task_rejected")).GetProperty("detail").GetString(), StringComparison.Ordinal);
        disk.Free();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));

        await hub.WaitForAsync("task_complete");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_whose_disk_is_full_takes_no_task_loses_none_and_hears_the_outcome_afterwards()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["hub"], megabytes: 8);
        Assert.SkipWhen(disk is null, NoRight);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Say it again");
        await hub.WaitForAsync(task, "working");

        disk.Fill();
        await Assert.ThrowsAsync<InvalidOperationException>(() => hub.AddAsync("Refuse me"));
        Scripts.Go(_directory);
        await sidecar.WaitForRunAsync("completed");
        await hub.Program.WaitForLineAsync("StoreUnavailable]");
        Assert.True(hub.Program.IsRunning);
        disk.Free();

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        await sidecar.WaitForRunAsync("settled");
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, await hub.CountAsync(task, "completed"));
    }

    private static string Assign(int number) => $$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""";

    private static string Text(System.Text.Json.JsonElement frame, string name) => frame.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static async Task EndAgentsAsync(TestSidecar sidecar)
    {
        foreach (var pid in LiveProcess.With($"FLEET_RUN_DIR={sidecar.State}/").ToList())
        {
            await TestProgram.RunAsync("/bin/kill", ["-9", pid]);
            await Wait.UntilAsync(() => !LiveProcess.Exists(pid), "an agent to be gone");
        }
    }
}
