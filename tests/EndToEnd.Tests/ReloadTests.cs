using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>A daemon that reads its configuration again: by signal and by command, good and bad, now, at the next run, at restart.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly NotifySocket _manager;

    public ReloadTests() => _manager = new NotifySocket(_directory["notify"]);

    public void Dispose()
    {
        _manager.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task SIGHUP_puts_in_force_what_may_change_and_names_what_waits_for_a_restart()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        await sidecar.StartAsync(environment: _manager.Environment(TimeSpan.FromMinutes(1)));
        await _manager.WaitForAsync("READY=1");
        Assert.Equal(1, (await sidecar.StatusAsync()).GetProperty("slots").GetInt32());

        Change(sidecar, """{ "agent": { "maxConcurrentRuns": 3, "name": "Iris" }, "log": { "level": "Debug" } }""");
        await sidecar.Program.SignalAsync("HUP");
        await sidecar.WaitForStatusAsync(status => status.GetProperty("slots").GetInt32() == 3, "three slots");

        await sidecar.Program.WaitForLineAsync("ConfigReloaded] the configuration was read again: agent.maxConcurrentRuns (now), log.level (now)");
        await sidecar.Program.WaitForLineAsync("ConfigNeedsRestart] needs a restart: agent.name");
        Assert.Equal("agent.name", (await sidecar.StatusAsync()).GetProperty("config").GetProperty("needs_restart")[0].GetString());
        Assert.Contains("needs a restart: agent.name", await sidecar.CliAsync("status"), StringComparison.Ordinal);
        await _manager.WaitForAsync("READY=1\nSTATUS=agent iris; needs a restart: agent.name");
        var heard = _manager.Heard.ToList();
        var reloading = heard.FindIndex(text => text.StartsWith("RELOADING=1\nMONOTONIC_USEC=", StringComparison.Ordinal));
        Assert.InRange(reloading, 1, heard.FindIndex(text => text.Contains("needs a restart", StringComparison.Ordinal)) - 1);
        var now = TimeProvider.System.GetTimestamp() / (TimeProvider.System.TimestampFrequency / 1_000_000);
        Assert.InRange(long.Parse(heard[reloading].Split('=')[^1], System.Globalization.CultureInfo.InvariantCulture), now - 60_000_000, now);

        // Back again: nothing waits any more.
        Change(sidecar, """{ "agent": { "maxConcurrentRuns": 3, "name": null } }""");
        Assert.DoesNotContain("restart", await sidecar.CliAsync("reload"), StringComparison.Ordinal);
        Assert.DoesNotContain("needs a restart", await sidecar.CliAsync("status"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_bad_file_changes_nothing_and_log_status_and_service_manager_name_file_and_key()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        await sidecar.StartAsync(environment: _manager.Environment(TimeSpan.FromMinutes(1)));
        await sidecar.WaitForAvailableAsync();

        Change(sidecar, """{ "agent": { "maxConcurrentRuns": 99 }, "log": { "level": "Debug" } }""");
        await sidecar.Program.SignalAsync("HUP");
        await sidecar.Program.WaitForLineAsync($"ConfigNotReloaded] the configuration was not reloaded: {sidecar.ConfigFile}: 'agent.maxConcurrentRuns' must be 1 to 64");

        await _manager.WaitForAsync($"READY=1\nSTATUS=agent iris; configuration not reloaded: {sidecar.ConfigFile}: 'agent.maxConcurrentRuns'");
        var status = await sidecar.CliAsync("status");
        Assert.Contains($"NOT RELOADED: {sidecar.ConfigFile}: 'agent.maxConcurrentRuns'", status, StringComparison.Ordinal);
        Assert.Contains("0 of 1 slots", status, StringComparison.Ordinal);
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["reload", "--config", sidecar.ConfigFile]);
        Assert.Equal(78, code);
        Assert.Contains("'agent.maxConcurrentRuns'", text, StringComparison.Ordinal);
        Assert.Contains("The old configuration stays in force", text, StringComparison.Ordinal);

        Change(sidecar, """{ "agent": { "maxConcurrentRuns": 2 } }""");
        Assert.Contains("now       agent.maxConcurrentRuns", await sidecar.CliAsync("reload"), StringComparison.Ordinal);
        Assert.DoesNotContain("NOT RELOADED", await sidecar.CliAsync("status"), StringComparison.Ordinal);
        Assert.True((await sidecar.StatusAsync()).GetProperty("available").GetBoolean());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_changed_profile_wakes_the_next_run_and_leaves_the_one_under_way_alone()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "agent": { "maxConcurrentRuns": 2 } }""").StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        var other = Scripts.Agent(_directory, "fleet-sidecar task start\nfleet-sidecar task complete --output \"new $FLAVOUR\"", "other.sh");

        Change(sidecar, $$"""{ "wake": { "profiles": [ { "name": "main", "command": ["{{other}}"], "environment": { "FLAVOUR": "lemon" } } ] } }""");
        Assert.Contains("next run  wake.profiles", await sidecar.CliAsync("reload"), StringComparison.Ordinal);
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete");
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete", 2);

        var outputs = hub.Of("task_complete").ToDictionary(frame => frame.GetProperty("task_id").GetString()!, frame => frame.GetProperty("result").GetProperty("output").GetString()!);
        Assert.Equal("new lemon", outputs["task-2"]); // The berth that was ready had the old environment.
        Assert.StartsWith("done by", outputs["task-1"], StringComparison.Ordinal);
    }

    // Its report lies where it was told to leave it, and its record is read by the program that it is.
    [Fact(Timeout = 120_000)]
    public async Task An_agent_is_judged_by_what_it_was_woken_with_whatever_the_next_start_was_configured_with()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\n{Scripts.WaitForGo}\nprintf '{{\"status\":\"success\",\"output\":\"by file\"}}' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        sidecar.Program.Kill();
        Directory.CreateDirectory(_directory["elsewhere"]);
        Change(sidecar, $$"""{ "agent": { "resultsDirectory": "{{_directory["elsewhere"]}}" }, "wake": { "profiles": [ { "name": "renamed", "adapter": "codex", "command": ["/bin/true"], "retries": 0 } ] } }""");

        await sidecar.StartAsync();
        await sidecar.Program.WaitForLineAsync("its process is Alive: Adopt");
        Scripts.Go(_directory);

        var done = await hub.WaitForAsync("task_complete");
        Assert.Equal("by file", done.GetProperty("result").GetProperty("output").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("main")]
    [InlineData("other")]
    public async Task A_wake_that_is_tried_again_takes_the_profile_in_force(string name)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var failing = Scripts.Agent(_directory, "exit 1", "failing.sh");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", failing,
            $$"""{ "wake": { "profiles": [ { "name": "main", "command": ["{{failing}}"], "mode": "signal", "retries": 10, "retryDelay": "00:00:02" } ] } }""").StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("waking");
        var worker = Scripts.Agent(_directory, "fleet-sidecar task start\nfleet-sidecar task complete --output mended");

        Change(sidecar, $$"""{ "wake": { "profiles": [ { "name": "{{name}}", "command": ["{{worker}}"] } ] } }""");
        await sidecar.CliAsync("reload");

        Assert.Equal("mended", (await hub.WaitForAsync("task_complete")).GetProperty("result").GetProperty("output").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_storm_of_reloads_ends_with_the_last_file_and_every_one_who_asked_is_answered()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        await sidecar.StartAsync(environment: _manager.Environment(TimeSpan.FromMinutes(1)));
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");

        var asked = new List<Task<string>>();
        for (var slots = 1; slots <= 20; slots++)
        {
            Change(sidecar, $$"""{ "agent": { "maxConcurrentRuns": {{slots}} } }""");
            await sidecar.Program.SignalAsync("HUP");
            if (slots % 5 == 0)
            {
                asked.Add(sidecar.CliAsync("reload"));
            }
        }

        await Task.WhenAll(asked);
        await sidecar.WaitForStatusAsync(status => status.GetProperty("slots").GetInt32() == 20, "the last file");
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
        await Wait.UntilAsync(() => _manager.Heard.Count(text => text.StartsWith("RELOADING=1", StringComparison.Ordinal)) == _manager.Heard.Count(text => text.StartsWith("READY=1", StringComparison.Ordinal)) - 1, "each reload to end");
    }

    // By rename, as editors and setup do it: nobody reads half a file.
    private static void Change(TestSidecar sidecar, string settings)
    {
        var config = JsonNode.Parse(File.ReadAllText(sidecar.ConfigFile))!.AsObject();
        JsonMerge.Into(config, JsonNode.Parse(settings)!.AsObject());
        File.WriteAllText(sidecar.ConfigFile + ".new", config.ToJsonString());
        File.Move(sidecar.ConfigFile + ".new", sidecar.ConfigFile, overwrite: true);
    }

    private static string Assign(int number) => $$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""";
}
