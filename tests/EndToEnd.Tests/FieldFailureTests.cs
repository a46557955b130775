using System.Net.WebSockets;

namespace FleetSidecar.EndToEnd;

/// <summary>Failures that happened in the field, one test each, on the built programs. The numbers are those of docs/failures.md.</summary>
public sealed class FieldFailureTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task L1_a_short_network_drop_in_mid_task_runs_it_once_and_completes_it()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var proxy = new TcpProxy(hub.Port);
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Survive", origin.Path);
        await Scripts.StartedAsync(_directory);

        proxy.Cut();
        await sidecar.Program.WaitForLineAsync("LinkDown]");
        proxy.Heal();
        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2);
        Scripts.Go(_directory);

        await hub.WaitForAsync(task, "completed");
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, (await hub.TaskAsync(task)).GetProperty("generation").GetInt32());
    }

    [Fact(Timeout = 120_000)]
    public async Task L2_a_result_made_while_the_hub_is_down_is_delivered_when_it_is_back()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Finish while nobody listens", origin.Path);
        await hub.WaitForAsync(task, "working");

        hub.Kill();
        Scripts.Go(_directory);
        await sidecar.WaitForRunAsync("completed");
        sidecar.Program.Kill(); // And the result is on disk, not in somebody's memory.
        await hub.StartAsync();
        await sidecar.StartAsync();

        await hub.WaitForAsync(task, "completed");
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(await origin.HeadAsync($"iris/{task}"), (await hub.TaskAsync(task)).GetProperty("result").GetProperty("commit").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task L3_an_agent_that_ends_while_its_sidecar_is_dead_is_still_believed()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start\n" + Scripts.WaitForGo + "\nprintf '{\"status\":\"success\",\"output\":\"alone\"}' > \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();
        var task = await hub.AddAsync("Go on alone");
        await sidecar.WaitForRunAsync("working");
        var pid = Scripts.Executions(_directory)[0].Split(' ')[0];

        sidecar.Program.Kill();
        Assert.True(LiveProcess.Exists(pid));
        Scripts.Go(_directory);
        await Wait.UntilAsync(() => !LiveProcess.Exists(pid), "the agent to end");
        await sidecar.StartAsync();

        var done = await hub.WaitForAsync(task, "completed");
        Assert.Equal("alone", done.GetProperty("result").GetProperty("output").GetString());
        Assert.Equal(0, done.GetProperty("result").GetProperty("exit_code").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task L5_task_text_is_never_run_whatever_stands_in_it()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        var trap = _directory["touched"];
        var evil = $"$(touch {trap}) `touch {trap}`; touch {trap} | touch {trap} && touch {trap} \n touch {trap}\n' \" \\ \u0001 \u2028 %s {{taskFile}} ${{PATH}} --help -rf";
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "printf '%s\\n' \"$#\" \"$@\" > \"$FLEET_TEST_DIR/argv\"\nenv -0 > \"$FLEET_TEST_DIR/environment\"\necho x > x; git add --all; git commit --quiet -m x\nfleet-sidecar task complete");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, $$"""
            { "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}", "--task", "{taskFile}", "{taskId}", "{nonce}"] } ] } }
            """).StartAsync();
        var quoted = TestHub.Quote(evil);
        var withNul = TestHub.Quote(evil + "\0tail");

        var task = await hub.AddJsonAsync($$"""
            {"description":{{withNul}},"repo":"{{origin.Path}}","metadata":{ {{quoted}}: {{withNul}} },"file_hints":[{"path":{{quoted}},"reason":{{withNul}}}],
             "success_criteria":[{{withNul}}],"verification_steps":[{"type":{{quoted}},"target":{{withNul}},"description":{{quoted}}}],"complexity_tier":{{withNul}},"max_retries":0}
            """);
        await hub.WaitForAsync(task, "completed");
        Assert.False(File.Exists(trap));
        Assert.Single(Scripts.Executions(_directory));
        var argv = await File.ReadAllLinesAsync(_directory["argv"]);
        Assert.Equal(["4", "--task"], argv[..2]);
        Assert.Equal(task, argv[3]);
        Assert.DoesNotContain("touch", await File.ReadAllTextAsync(_directory["environment"]), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("ext::sh -c touch% {0}", "main")]
    [InlineData("--upload-pack=touch${IFS}{0}", "main")]
    [InlineData("$(touch {0})", "main")]
    [InlineData("ORIGIN", "--upload-pack=touch {0}")]
    [InlineData("ORIGIN", "$(touch {0})")]
    public async Task L5_a_hub_that_sends_a_trap_as_repository_or_branch_gets_a_failure_and_nothing_runs(string repo, string branch)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        var trap = _directory["touched"];
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        string Filled(string text) => TestHub.Quote(text.Replace("{0}", trap, StringComparison.Ordinal).Replace("ORIGIN", origin.Path, StringComparison.Ordinal));

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x","repo":{{Filled(repo)}},"branch":{{Filled(branch)}} }""");

        Assert.Equal("workspace", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
        Assert.False(File.Exists(trap));
        Assert.Empty(Scripts.Executions(_directory));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(5000)]
    public async Task L6_a_truncated_store_is_moved_aside_and_reported_and_its_task_comes_again(int length)
    {
        using var hub = await TestHub.StartAsync(_directory, "--retry-delay", "00:00:00");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Do not forget me", maxRetries: 3);
        await hub.WaitForAsync(task, "working");
        await sidecar.WaitForRunAsync("working");
        var agent = Scripts.Executions(_directory)[0].Split(' ')[0];

        sidecar.Program.Kill();
        foreach (var tail in new[] { "-wal", "-shm" })
        {
            File.Delete(Path.Combine(sidecar.State, "state.db" + tail));
        }

        await using (var file = new FileStream(Path.Combine(sidecar.State, "state.db"), FileMode.Open))
        {
            file.SetLength(length);
        }

        await sidecar.StartAsync();

        await sidecar.Program.WaitForLineAsync("StoreDamaged]");
        var aside = Assert.Single(Directory.GetFiles(sidecar.State, "state.db.damaged-*"));
        Assert.Equal(length, new FileInfo(aside).Length);
        var status = await sidecar.StatusAsync();
        Assert.Contains(aside, status.GetProperty("store").GetProperty("damaged_file").GetString(), StringComparison.Ordinal);
        await Wait.ForAsync(async () => (await hub.GetAsync("/api/alerts")).ToString().Contains("store_damaged", StringComparison.Ordinal) ? new object() : null, "the hub's alert");
        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent of the lost run to be stopped");
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");
        Assert.Equal(2, Scripts.Executions(_directory).Length); // One after the other: the first was gone before the second began.
    }

    [Theory(Timeout = 120_000)]
    [InlineData("truncate -s 0 {0}-wal")]
    [InlineData("rm {0}-wal")]
    [InlineData("rm {0}-wal {0}-shm")]
    [InlineData("rm {0} {0}-wal {0}-shm")]
    [InlineData("printf garbage | dd of={0}-wal bs=1 seek=5000 conv=notrunc status=none")]
    public async Task L6_a_store_whose_log_was_cut_lost_or_overwritten_is_not_read_as_empty(string harm)
    {
        using var hub = await TestHub.StartAsync(_directory, "--retry-delay", "00:00:00");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Do not forget me", maxRetries: 3);
        await hub.WaitForAsync(task, "working");
        await sidecar.WaitForRunAsync("working");
        var agent = Scripts.Executions(_directory)[0].Split(' ')[0];

        sidecar.Program.Kill();
        await TestProgram.MustAsync("/bin/sh", "-c", harm.Replace("{0}", Path.Combine(sidecar.State, "state.db"), StringComparison.Ordinal));
        await sidecar.StartAsync();

        await sidecar.Program.WaitForLineAsync("StoreDamaged]");
        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the forgotten agent to be stopped");
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");
        Assert.Equal(2, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task L6_a_hub_whose_log_was_cut_says_so()
    {
        using var hub = await TestHub.StartAsync(_directory);
        await hub.AddAsync("x");
        hub.Kill();
        await TestProgram.MustAsync("/bin/sh", "-c", $"truncate -s 0 {hub.Data}/hub.db-wal");

        await hub.StartAsync();

        await hub.Program.WaitForLineAsync("StoreDamaged]");
        Assert.NotEmpty(Directory.GetFiles(hub.Data, "hub.db.damaged-*"));
    }

    [Fact(Timeout = 120_000)]
    public async Task L7_a_hub_restart_does_not_take_a_healthy_task_away()
    {
        using var hub = await TestHub.StartAsync(_directory, "--accept-deadline", "00:00:02", "--lease", "00:00:05", "--idle-limit", "00:00:03");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Stay with me", maxRetries: 3);
        await hub.WaitForAsync(task, "working");

        hub.Kill();
        await sidecar.Program.WaitForLineAsync("LinkDown]");
        await Wait.WhileAsync(() => sidecar.Program.IsRunning, "the sidecar lives on while the hub is down for longer than the lease", TimeSpan.FromSeconds(6));
        hub.Options = ["--accept-deadline", "00:00:02", "--lease", "00:00:30", "--idle-limit", "00:00:20"]; // As ours is in life: longer than the longest pause between two dials.
        await hub.StartAsync();
        Assert.Equal("working", (await hub.TaskAsync(task)).GetProperty("status").GetString()); // Downtime of the hub counts against nobody.
        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2, TimeSpan.FromSeconds(60));
        await Wait.WhileAsync(() => hub.TaskAsync(task).GetAwaiter().GetResult().GetProperty("status").GetString() == "working", "the task stays working past the deadline and the lease that it had", TimeSpan.FromSeconds(7));
        Scripts.Go(_directory);

        var done = await hub.WaitForAsync(task, "completed");
        Assert.Equal(1, done.GetProperty("generation").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("fleet-sidecar task complete\nexit 3", "exit code 3")]
    [InlineData("printf '{\"status\":\"failed\",\"reason\":\"no key\"}' > \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"", "no key")]
    [InlineData("fleet-sidecar task fail --reason 'cannot do it'", "cannot do it")]
    [InlineData("true", "never said that it was done")]
    [InlineData("kill -9 $$", "signal 9")]
    [InlineData("truncate -s 3G \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"", "is longer than 1 MiB")]
    [InlineData("printf 'not json' > \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"", "is not JSON")]
    public async Task L9_an_agent_that_failed_is_never_recorded_as_completed(string ending, string reason)
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Agent(_directory, ending)).StartAsync();

        var task = await hub.WaitForAsync(await hub.AddAsync("Fail"), "dead_letter");

        Assert.Contains(reason, task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("""{"status":"failed","output":"Error: no model"}""")]
    [InlineData("""{"status":"success","exit_code":1}""")]
    public async Task L9_a_message_called_task_complete_with_a_bad_result_is_a_failure(string result)
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        var task = await hub.AddAsync("Fail");
        await agent.ReadAsync("task_assign");

        await agent.SendAsync($$"""{"type":"task_complete","task_id":"{{task}}","generation":1,"result":{{result}}}""");

        Assert.Equal("dead_letter", (await agent.ReadAsync("task_ack")).GetProperty("status").GetString());
        Assert.Equal("dead_letter", (await hub.TaskAsync(task)).GetProperty("status").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task L10_nobody_but_its_agent_on_its_connection_and_generation_completes_a_task()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var owner = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        using var thief = await RawAgent.IdentifyAsync(hub.SocketUrl, "mallory", await hub.TokenAsync("mallory"));
        var task = await hub.AddJsonAsync("""{"description":"mine","assign_to":"iris"}""");
        await owner.ReadAsync("task_assign");
        string Complete(int generation) => $$"""{"type":"task_complete","result":{"status":"success"},"task_id":"{{task}}","generation":{{generation}} }""";

        await thief.SendAsync(Complete(1));
        Assert.Equal("task_complete_failed: not_assigned_to_you", (await thief.ReadAsync("error")).GetProperty("error").GetString());
        await thief.SendAsync($$"""{"type":"task_failed","task_id":"{{task}}","generation":1,"error":"x"}""");
        Assert.Equal("task_fail_failed: not_assigned_to_you", (await thief.ReadAsync("error")).GetProperty("error").GetString());
        foreach (var stale in new[] { 0, 2 })
        {
            await owner.SendAsync(Complete(stale));
            Assert.Equal("task_complete_failed: stale_generation", (await owner.ReadAsync("error")).GetProperty("error").GetString());
        }

        Assert.Equal("assigned", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        await owner.SendAsync(Complete(1));
        Assert.Equal("complete", (await owner.ReadAsync("task_ack")).GetProperty("status").GetString());
        await owner.SendAsync(Complete(1));
        Assert.Equal("task_complete_failed: invalid_state", (await owner.ReadAsync("error")).GetProperty("error").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task L11_the_newest_connection_of_an_identity_wins_and_the_older_one_is_told()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var older = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token);
        var task = await hub.AddAsync("Whose is it?");
        await older.ReadAsync("task_assign");

        using var newer = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token);

        Assert.Equal("superseded", (await older.ReadAsync("error")).GetProperty("error").GetString());
        Assert.Null(await older.NextAsync());
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, older.CloseStatus);
        Assert.Equal(task, (await newer.ReadAsync("task_assign")).GetProperty("task_id").GetString());
        var agents = (await hub.GetAsync("/api/agents")).GetProperty("agents");
        Assert.NotEqual("offline", Assert.Single(agents.EnumerateArray()).GetProperty("status").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task L11_a_sidecar_whose_identity_is_used_elsewhere_says_so_and_does_not_fight()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, token, Scripts.Worker(_directory), """{ "hub": { "refusedInterval": "00:10:00" } }""").StartAsync();

        using var newer = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token);

        await sidecar.Program.WaitForLineAsync("LinkRefused]");
        var status = (await sidecar.StatusAsync()).GetProperty("hub");
        Assert.Equal("refused", status.GetProperty("state").GetString());
        Assert.Contains("newer", status.GetProperty("detail").GetString(), StringComparison.Ordinal);
        var task = await hub.AddAsync("For the newer one");
        Assert.Equal(task, (await newer.ReadAsync("task_assign")).GetProperty("task_id").GetString());
    }
}
