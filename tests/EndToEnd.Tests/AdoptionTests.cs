namespace FleetSidecar.EndToEnd;

/// <summary>A sidecar that starts anew: what it makes of an agent that it did not start itself.</summary>
public sealed class AdoptionTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("killed")]
    [InlineData("stopped")]
    public async Task A_working_agent_keeps_its_pid_over_many_restarts_and_its_exit_code_is_learned(string how)
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("x");
        await sidecar.WaitForRunAsync("working");
        var pid = Scripts.Executions(_directory).Single().Split(' ')[0];

        for (var restart = 0; restart < 3; restart++)
        {
            if (how == "killed")
            {
                sidecar.Program.Kill();
            }
            else
            {
                await sidecar.Program.SignalAsync("TERM");
                Assert.Equal(0, await sidecar.Program.EndAsync());
            }

            await sidecar.StartAsync();
            await sidecar.Program.WaitForLineAsync("its process is Alive: Adopt");
            Assert.True(LiveProcess.Exists(pid));
        }

        Scripts.Go(_directory);
        var done = await hub.WaitForAsync(task, "completed");
        Assert.Equal(0, done.GetProperty("result").GetProperty("exit_code").GetInt32());
        Assert.Equal($"done by {pid}", done.GetProperty("result").GetProperty("output").GetString());
        Assert.Single(Scripts.Executions(_directory));
    }

    // Longer away than each deadline of the state that the run is in.
    [Theory(Timeout = 120_000), Trait("kind", "time without a daemon counts as the agent's")]
    [InlineData("alive", "confirming")]
    [InlineData("ended", "confirming")]
    [InlineData("ended", "working")]
    public async Task A_run_is_not_judged_by_how_long_there_was_no_daemon(string agent, string state)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var worker = Scripts.Agent(_directory, $"{Scripts.WaitForGo}\nfleet-sidecar task complete --output \"done by $$\""); // One that says that it has begun is confirmed by that.
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), worker, $$"""
            { "deadlines": { "confirm": "00:00:04", "wallClock": "{{(state == "working" ? "00:00:06" : "05:00:00")}}" },
              "wake": { "profiles": [ { "name": "main", "command": ["{{worker}}"], "aliveFor": "{{(state == "working" ? "00:00:00.1" : "00:01:00")}}" } ] } }
            """).StartAsync();
        var task = await hub.AddAsync("x");
        await sidecar.WaitForRunAsync(state);
        await Scripts.StartedAsync(_directory);
        sidecar.Program.Kill();
        if (agent == "ended")
        {
            Scripts.Go(_directory);
        }

        // The store is what says since when; the file is the last sign of life.
        await TestProgram.MustAsync("sqlite3", Path.Combine(sidecar.State, "state.db"), ".timeout 5000", "UPDATE runs SET state_since_unix_ms = state_since_unix_ms - 3600000");
        await TestProgram.MustAsync("/bin/sh", "-c", $"touch -d '1 hour ago' '{sidecar.State}/alive'");
        if (agent == "ended")
        {
            await Wait.UntilAsync(() => Directory.GetFiles(sidecar.State, "exit", SearchOption.AllDirectories).Length > 0, "its end");
        }

        await sidecar.StartAsync();
        Scripts.Go(_directory);

        Assert.StartsWith("done by", (await hub.WaitForAsync(task, "completed")).GetProperty("result").GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_agent_that_is_gone_without_a_record_is_agent_vanished_and_is_not_started_again_by_the_sidecar()
    {
        var (hub, sidecar, task) = await WorkingAsync();
        using (hub)
        using (sidecar)
        {
            sidecar.Program.Kill();
            foreach (var pid in LiveProcess.With($"FLEET_RUN_DIR={sidecar.State}/").ToList())
            {
                await TestProgram.RunAsync("/bin/kill", ["-9", pid]);
            }

            await sidecar.StartAsync();

            Assert.Contains("agent_vanished", (await hub.WaitForAsync(task, "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            Assert.Single(Scripts.Executions(_directory));
        }
    }

    // The row names a process that does not exist any more, while another one lives under its number: a reused pid, or the
    // number from before the machine was started. The agent of the row is still around here, and must be ended, never doubled.
    [Theory(Timeout = 120_000)]
    [InlineData("start_ticks = start_ticks - 1")]
    [InlineData("boot_id = '00000000-0000-0000-0000-000000000000'")]
    public async Task A_pid_of_another_process_or_another_boot_is_not_adopted(string change)
    {
        var (hub, sidecar, task) = await WorkingAsync();
        using (hub)
        using (sidecar)
        {
            var agent = Scripts.Executions(_directory).Single().Split(' ')[0];
            sidecar.Program.Kill();
            await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(sidecar.State, "state.db"), $"UPDATE runs SET {change}");

            await sidecar.StartAsync();
            await sidecar.Program.WaitForLineAsync("its process is Vanished: Finalise");

            Assert.Contains("agent_vanished", (await hub.WaitForAsync(task, "dead_letter")).GetProperty("last_error").GetString(), StringComparison.Ordinal);
            Assert.False(LiveProcess.Exists(agent));
            Assert.Single(Scripts.Executions(_directory));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_task_that_the_hub_gave_up_while_the_sidecar_was_down_is_abandoned_with_its_work_on_disk()
    {
        var (hub, sidecar, task) = await WorkingAsync();
        using (hub)
        using (sidecar)
        {
            var agent = Scripts.Executions(_directory).Single().Split(' ')[0];
            sidecar.Program.Kill();
            await TestProgram.MustAsync(TestProgram.Hub, "task", "cancel", task, "--data", hub.Data, "--hub", $"http://127.0.0.1:{hub.Port}");

            await sidecar.StartAsync();
            await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent to be ended");
            await sidecar.WaitForRunAsync("settled");

            var run = (await sidecar.RunsAsync())[0];
            Assert.Equal("superseded", run.GetProperty("outcome").GetString());
            Assert.True(Directory.Exists(run.GetProperty("directory").GetString()));
            Assert.Equal("cancelled", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        }
    }

    private async Task<(TestHub Hub, TestSidecar Sidecar, string Task)> WorkingAsync()
    {
        var hub = await TestHub.StartAsync(_directory);
        var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("x");
        await sidecar.WaitForRunAsync("working");
        return (hub, sidecar, task);
    }
}
