namespace FleetSidecar.EndToEnd;

/// <summary>Waking: both modes of the command adapter, what counts as proof, what is tried again and what is not.</summary>
public sealed class WakeTests : IDisposable
{
    private const string SignalMode = """{ "wake": { "profiles": [ { "name": "main", "mode": "signal", "command": ["AGENT"], "retries": 2, "retryDelay": "00:00:00.1" } ] }, "deadlines": { "confirm": "00:00:02" } }""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_signalled_agent_that_works_elsewhere_reports_through_files()
    {
        var (hub, sidecar) = await StartAsync("""
            ( sleep 0.3; touch "$FLEET_RESULTS_DIR/$FLEET_TASK_ID.started"; sleep 0.3; printf '{"status":"success","output":"elsewhere"}' > "$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json" ) &
            """, SignalMode);
        using (hub)
        using (sidecar)
        {
            var done = await hub.WaitForAsync(await hub.AddAsync("x"), "completed");

            Assert.Equal("elsewhere", done.GetProperty("result").GetProperty("output").GetString());
            Assert.Equal("received", done.GetProperty("result").GetProperty("wake_level").GetString());
            Assert.Single(Scripts.Executions(_directory));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signal_that_succeeds_without_an_agent_waking_is_reported_as_unverified_never_as_success()
    {
        var (hub, sidecar) = await StartAsync("exit 0", SignalMode);
        using (hub)
        using (sidecar)
        {
            var task = await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter");

            Assert.Contains("wake_unverified", task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
            var wake = task.GetProperty("history").EnumerateArray().Single(entry => entry.GetProperty("event").GetString() == "wake_result");
            Assert.Contains("unverified, level launched", wake.GetProperty("details").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task L14_a_wake_that_ends_with_zero_and_wakes_nobody_is_given_once_more_under_its_id_and_then_called_unverified()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "echo \"$FLEET_NONCE\" >> \"$FLEET_TEST_DIR/wakes\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, SignalMode.Replace("AGENT", agent, StringComparison.Ordinal)).StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal(("wake_unverified", "confirm"), (failed.GetProperty("code").GetString(), failed.GetProperty("deadline").GetString()));
        var wakes = await File.ReadAllLinesAsync(_directory["wakes"]);
        Assert.Equal(2, wakes.Length);
        Assert.Single(wakes.Distinct());
        await sidecar.WaitForRunAsync("settled");
        Assert.Empty(hub.Of("task_complete"));
        Assert.All(hub.Of("wake_result"), wake => Assert.Equal("unverified", wake.GetProperty("status").GetString()));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signal_that_fails_is_tried_again_and_then_given_up_with_its_exit_code()
    {
        var (hub, sidecar) = await StartAsync("exit 7", SignalMode);
        using (hub)
        using (sidecar)
        {
            var task = await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter");

            Assert.Contains("exit code 7", task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
            Assert.Equal(3, Scripts.Executions(_directory).Length);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stale_result_file_is_put_aside_before_the_agent_is_woken()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "exit 0");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, SignalMode.Replace("AGENT", agent, StringComparison.Ordinal)).StartAsync();
        await File.WriteAllTextAsync(Path.Combine(sidecar.State, "results", "task-1.json"), """{"status":"success","output":"old lies"}""");

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":2,"description":"x"}""");

        Assert.Equal("wake_unverified", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
        Assert.Empty(hub.Of("task_complete"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(null, "there is no such file")]
    [InlineData("directory", "is a directory")]
    [InlineData("interpreter", "its interpreter /nonexistent/node does not exist")]
    [InlineData("closed", "this user may not execute it")]
    public async Task A_wake_command_that_cannot_be_executed_is_a_matter_of_configuration_and_not_tried_again(string? instead, string words)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "exit 0");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();
        await sidecar.WaitForAvailableAsync();
        File.Delete(agent); // After the self-test, which would have kept the task away.
        if (instead == "directory")
        {
            Directory.CreateDirectory(agent);
        }
        else if (instead is not null)
        {
            File.WriteAllText(agent, "#!/nonexistent/node\n");
            File.SetUnixFileMode(agent, instead == "closed" ? UnixFileMode.UserRead : UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        var task = await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter");

        Assert.Matches($"^config: cannot start .*{words}", task.GetProperty("last_error").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_run_that_says_nothing_is_proved_by_staying_alive_and_its_exit_code_can_be_enough()
    {
        var (hub, sidecar) = await StartAsync("sleep 1.5", """{ "wake": { "profiles": [ { "name": "main", "command": ["AGENT"], "aliveFor": "00:00:00.3", "completion": "exitCode" } ] } }""");
        using (hub)
        using (sidecar)
        {
            var task = await hub.AddAsync("x");
            await Wait.ForAsync(async () => await hub.CountAsync(task, "wake_result") == 1 ? new object() : null, "the proof while the agent still works");
            Assert.Equal("working", (await hub.TaskAsync(task)).GetProperty("status").GetString());

            var done = await hub.WaitForAsync(task, "completed");
            Assert.Equal("launched", done.GetProperty("result").GetProperty("wake_level").GetString());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task The_wall_clock_deadline_stops_a_stubborn_agent_and_is_named_in_the_report()
    {
        var (hub, sidecar) = await StartAsync("trap '' TERM\nfleet-sidecar task start\necho last words\nwhile true; do sleep 1; done", """{ "deadlines": { "wallClock": "00:00:01", "killGrace": "00:00:00.5" } }""");
        using (hub)
        using (sidecar)
        {
            var task = await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter");

            Assert.Contains("timeout: the deadline 'wall_clock'", task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
            var pid = Scripts.Executions(_directory)[0].Split(' ')[0];
            Assert.False(LiveProcess.Exists(pid));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task L13_a_workspace_that_cannot_be_made_fails_the_task_and_the_agent_is_never_woken()
    {
        var (hub, sidecar) = await StartAsync("exit 0", """{ "workspace": { "allowedRepositories": ["https://*", "/allowed/missing.git"] } }""");
        using (hub)
        using (sidecar)
        {
            var missing = await hub.AddAsync("x", "/allowed/missing.git");
            var forbidden = await hub.AddAsync("x", "/etc/passwd");

            Assert.Contains("workspace", (await hub.WaitForAsync(missing, "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            Assert.Contains("allowedRepositories", (await hub.WaitForAsync(forbidden, "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            Assert.Empty(Scripts.Executions(_directory));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task L28_an_agent_that_floods_its_standard_error_is_not_held_up()
    {
        var (hub, sidecar) = await StartAsync("head -c 20000000 /dev/zero | tr '\\0' x >&2\nfleet-sidecar task complete", "{}");
        using (hub)
        using (sidecar)
        {
            await hub.WaitForAsync(await hub.AddAsync("x"), "completed");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task An_agent_that_commits_nothing_in_a_repository_has_not_done_its_task()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        var (hub, sidecar) = await StartAsync("fleet-sidecar task complete", "{}");
        using (hub)
        using (sidecar)
        {
            var task = await hub.WaitForAsync(await hub.AddAsync("x", origin.Path), "dead_letter");

            Assert.Contains("verification", task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Another_process_without_the_nonce_cannot_speak_for_a_run()
    {
        var (hub, sidecar) = await StartAsync(Scripts.WaitForGo + "\nfleet-sidecar task complete", "{}");
        using (hub)
        using (sidecar)
        {
            var task = await hub.AddAsync("x");
            await Scripts.StartedAsync(_directory);
            var environment = new Dictionary<string, string?> { ["FLEET_SOCKET"] = _directory["iris.sock"], ["FLEET_NONCE"] = new('0', 32) };

            var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["task", "complete"], environment);

            Assert.Equal(1, code);
            Assert.Contains("belongs to no run", text, StringComparison.Ordinal);
            Assert.NotEqual("completed", (await hub.TaskAsync(task)).GetProperty("status").GetString());
            Scripts.Go(_directory);
            await hub.WaitForAsync(task, "completed");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_second_attempt_begins_with_the_commits_that_the_first_one_pushed()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.CompletionAnswer = "retried"; // It judges the first attempt as failed.
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, """
            echo "$FLEET_GENERATION" > "attempt-$FLEET_GENERATION"; git add --all; git commit --quiet -m "attempt $FLEET_GENERATION"
            fleet-sidecar task complete
            """)).StartAsync();
        foreach (var generation in new[] { 1, 2 })
        {
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":{{generation}},"description":"x","repo":"{{origin.Path}}"}""");
            await hub.WaitForAsync("task_complete", generation);
            await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "the run to settle");
        }

        Assert.Equal("attempt 2\nattempt 1\nFirst commit", (await origin.GitAsync("log", "--format=%s", "iris/task-1")).Trim());
    }

    [Fact(Timeout = 120_000)]
    public async Task What_an_agent_says_while_its_sidecar_is_down_is_heard_by_the_next_one()
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task start\n" + Scripts.WaitForGo + "\nfleet-sidecar task complete --output offline", "{}");
        using (hub)
        using (sidecar)
        {
            var task = await hub.AddAsync("x");
            await sidecar.WaitForRunAsync("working");
            await sidecar.Program.SignalAsync("TERM");
            Assert.Equal(0, await sidecar.Program.EndAsync());

            Scripts.Go(_directory);
            await Wait.UntilAsync(() => File.Exists(Path.Combine(sidecar.State, "results", $"{task}.json")), "the report in a file");
            await sidecar.StartAsync();

            Assert.Equal("offline", (await hub.WaitForAsync(task, "completed")).GetProperty("result").GetProperty("output").GetString());
            Assert.Single(Scripts.Executions(_directory));
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkfifo \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"")]
    [InlineData("mkdir \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"")]
    [InlineData("ln -s /dev/zero \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"")]
    [InlineData("ln -s /etc/passwd \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"")]
    public async Task A_trap_in_place_of_a_result_file_holds_nobody_up(string trap)
    {
        var (hub, sidecar) = await StartAsync(trap, "{}");
        using (hub)
        using (sidecar)
        {
            Assert.StartsWith("agent_error", (await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            await sidecar.WaitForRunAsync("settled");
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("rm -rf {0}")]
    [InlineData("kill -9 {1}")]
    [InlineData("kill -STOP {1}")] // This one is continued.
    public async Task A_berth_that_was_destroyed_while_it_waited_is_replaced(string harm)
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task complete", "{}");
        using (hub)
        using (sidecar)
        {
            var waiting = await Wait.ForAsync(() => Task.FromResult(LiveProcess.With($"FLEET_RUN_DIR={sidecar.State}/").FirstOrDefault()), "a recorder to wait");
            var directory = Directory.GetDirectories(Path.Combine(sidecar.State, "runs")).Single();
            await TestProgram.MustAsync("/bin/sh", "-c", harm.Replace("{0}", directory, StringComparison.Ordinal).Replace("{1}", waiting, StringComparison.Ordinal));

            await hub.WaitForAsync(await hub.AddAsync("x"), "completed");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task While_no_run_directory_can_be_made_no_work_is_taken_and_it_goes_on_by_itself_afterwards()
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task complete", "{}");
        using (hub)
        using (sidecar)
        {
            var runs = Path.Combine(sidecar.State, "runs");
            await hub.WaitForAsync(await hub.AddAsync("x"), "completed");
            sidecar.Program.Kill();
            await sidecar.StartAsync();
            using var disk = await SmallDisk.TryMountAsync(runs, 1, ",nr_inodes=1"); // From the first moment: the sidecar makes directories there.
            Assert.SkipWhen(disk is null, "this user may not mount a file system");
            var task = await hub.AddAsync("x", maxRetries: 3);
            await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("store").TryGetProperty("problem", out _) ? new object() : null, "status to say so");

            await disk.RemountAsync("nr_inodes=1000");

            await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hand_off_goes_to_somebody_else_and_never_back()
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task handoff --reason 'needs the forge'", "{}");
        using (hub)
        using (sidecar)
        {
            var task = await hub.AddAsync("x");
            await Wait.ForAsync(async () => (await hub.GetAsync("/api/alerts")).ToString().Contains($"no_match.{task}", StringComparison.Ordinal) ? new object() : null, "the alert that nobody is left");
            Assert.Single(Scripts.Executions(_directory));

            using var other = await RawAgent.IdentifyAsync(hub.SocketUrl, "noah", await hub.TokenAsync("noah"));
            Assert.Equal(task, (await other.ReadAsync("task_assign")).GetProperty("task_id").GetString());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task An_agent_whose_recorder_was_killed_is_not_believed_and_does_not_live_on()
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task complete; kill -9 $PPID; sleep 300", "{}");
        using (hub)
        using (sidecar)
        {
            Assert.StartsWith("agent_vanished", (await hub.WaitForAsync(await hub.AddAsync("x"), "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            var pid = Scripts.Executions(_directory)[0].Split(' ')[0];
            Assert.False(LiveProcess.Exists(pid));
        }
    }

    private async Task<(TestHub Hub, TestSidecar Sidecar)> StartAsync(string body, string settings)
    {
        var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, body);
        return (hub, await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, settings.Replace("AGENT", agent, StringComparison.Ordinal)).StartAsync());
    }
}
