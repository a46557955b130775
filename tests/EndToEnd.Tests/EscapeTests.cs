namespace FleetSidecar.EndToEnd;

/// <summary>Agents that slip out of what the sidecar gave them, recorders that somebody kills, rows that somebody spoils: never two at once, never a daemon that cannot start.</summary>
public sealed class EscapeTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("exec env -i /bin/sleep 331")]
    [InlineData("exec setsid /bin/sleep 331")]
    [InlineData("exec /bin/sleep 331")]
    public async Task With_its_recorder_killed_an_agent_is_ended_before_the_hub_hears_of_it(string body)
    {
        var (hub, sidecar) = await StartAsync("fleet-sidecar task start\n" + body, "{}");
        await using (hub)
        using (sidecar)
        {
            await hub.WaitForAsync("wake_result");
            var agent = Scripts.Executions(_directory).Single().Split(' ')[0];

            await TestProgram.MustAsync("/bin/kill", "-9", $"{(await sidecar.StatusAsync()).GetProperty("runs")[0].GetProperty("pid").GetInt32()}");

            Assert.Equal("agent_vanished", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
            Assert.False(LiveProcess.Exists(agent));
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("env -i sleep 451 &")]
    [InlineData("env -i setsid sleep 451 &")]
    [InlineData("setsid sleep 451 &")]
    public async Task A_helper_without_its_environment_or_outside_the_group_does_not_outlive_a_stopped_agent(string helper)
    {
        var (hub, sidecar) = await StartAsync($"trap '' TERM\nfleet-sidecar task start\n{helper}\necho \"$!\" > \"$FLEET_TEST_DIR/helper\"\nsleep 452; sleep 453", """{ "deadlines": { "wallClock": "00:00:02" } }""");
        await using (hub)
        using (sidecar)
        {
            var failed = await hub.WaitForAsync("task_failed");

            var pid = (await File.ReadAllTextAsync(_directory["helper"])).Trim();
            Assert.Contains($"{pid} sleep", failed.GetProperty("process_state").GetString(), StringComparison.Ordinal);
            Assert.False(LiveProcess.Exists(pid));
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("facts = 'garbage'")]
    [InlineData("facts = 'null'")]
    [InlineData("assignment = 'garbage'")]
    public async Task A_row_that_cannot_be_read_costs_its_run_and_nothing_else(string change)
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("x", maxRetries: 1);
        await sidecar.WaitForRunAsync("working");
        var agent = Scripts.Executions(_directory).Single().Split(' ')[0];
        sidecar.Program.Kill();
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(sidecar.State, "state.db"), $"UPDATE runs SET {change}");

        await sidecar.StartAsync();
        await sidecar.Program.WaitForLineAsync("RunUnreadable]");
        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent that nobody answers for to be ended");
        Scripts.Go(_directory);

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Equal(2, Scripts.Executions(_directory).Length);
        Assert.Equal("run_unreadable", (await sidecar.StatusAsync()).GetProperty("incidents")[0].GetProperty("code").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_drain_is_ended_by_resume_alone_and_said_again_keeps_what_is_not_given()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await sidecar.CliAsync("drain", "--deadline", "1h", "--reason", "first");
        var until = (await sidecar.StatusAsync()).GetProperty("intake").GetProperty("until_unix_ms").GetInt64();

        await sidecar.CliAsync("drain", "--wait");
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["pause", "--for", "1s", "--reason", "x", "--config", sidecar.ConfigFile]);

        var intake = (await sidecar.StatusAsync()).GetProperty("intake");
        Assert.Equal(("draining", "first", until), (intake.GetProperty("mode").GetString(), intake.GetProperty("reason").GetString(), intake.GetProperty("until_unix_ms").GetInt64()));
        Assert.Equal(1, code);
        Assert.Contains("resume", text, StringComparison.Ordinal);
    }

    private async Task<(ScriptedHub Hub, TestSidecar Sidecar)> StartAsync(string body, string settings)
    {
        var hub = await ScriptedHub.StartAsync(version: 2);
        var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, body), settings).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        return (hub, sidecar);
    }
}
