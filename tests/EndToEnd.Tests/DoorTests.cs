using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Who lets work in: stopping, pause, drain, resume, by the operator or the hub. On disk before anybody is told.</summary>
public sealed class DoorTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task L4_a_second_SIGTERM_ends_the_wait_of_the_first_at_once_with_zero_and_the_agent_works_on()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_complete" ? "" : null; // So that the first one waits for the answer.
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\nif [ \"$FLEET_TASK_ID\" = task-2 ]; then {Scripts.WaitForGo}; fi\nfleet-sidecar task complete");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "agent": { "maxConcurrentRuns": 2 } }""").StartAsync();
        await hub.SendAsync(Assign(1));
        await hub.WaitForAsync("task_complete");
        await hub.SendAsync(Assign(2));
        await sidecar.WaitForRunAsync("working");
        var pid = Scripts.Executions(_directory)[1].Split(' ')[0];

        await sidecar.Program.SignalAsync("TERM");
        await sidecar.Program.WaitForLineAsync("Stopping]");
        var since = TimeProvider.System.GetTimestamp();
        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());

        Assert.True(TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(3), "the second signal was not obeyed at once");
        Assert.True(LiveProcess.Exists(pid));
        hub.Answer = null;
        await sidecar.StartAsync();
        await hub.WaitForAsync("task_complete", 2); // The outcome that was not heard is said again.
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete", 3);
        Assert.Equal(["task-1", "task-2"], Scripts.Executions(_directory).Select(line => line.Split(' ')[1]));
    }

    [Fact(Timeout = 120_000)]
    public async Task L4_SIGTERM_while_the_hub_is_away_ends_with_zero()
    {
        using var sidecar = await TestSidecar.Create(_directory, $"ws://127.0.0.1:{FreePort.Take()}/ws", "token-token", Scripts.Worker(_directory)).StartAsync(waitForLink: false);
        await sidecar.Program.WaitForLinesAsync("LinkDown]", 2); // It waits to dial again.

        await sidecar.Program.SignalAsync("TERM");

        Assert.Equal(0, await sidecar.Program.EndAsync(TimeSpan.FromSeconds(5)));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("drain", "draining")]
    [InlineData("pause", "paused")]
    public async Task A_door_that_was_closed_is_closed_after_a_kill_the_moment_the_command_has_answered(string verb, string word)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await sidecar.WaitForAvailableAsync();

        await sidecar.CliAsync(verb, "--reason", "moving house");
        sidecar.Program.Kill();
        var before = hub.Of("heartbeat").Count();
        await sidecar.StartAsync();
        await hub.SendAsync(Assign(1));

        Assert.Equal(word, (await hub.WaitForAsync("task_rejected")).GetProperty("reason").GetString());
        await hub.WaitForAsync("heartbeat", before + 3);
        Assert.All(hub.Of("heartbeat").Skip(before), beat =>
        {
            Assert.Equal(word, beat.GetProperty("state").GetString());
            Assert.False(beat.GetProperty("available").GetBoolean());
            Assert.Equal("moving house", beat.GetProperty("unavailable_reason").GetString());
        });
        Assert.Equal(word, (await sidecar.StatusAsync()).GetProperty("intake").GetProperty("mode").GetString());

        Assert.Contains("taking work again", await sidecar.CliAsync("resume"), StringComparison.Ordinal);
        sidecar.Program.Kill();
        await sidecar.StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));
        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_drain_lets_what_runs_end_and_stops_the_rest_at_its_deadline_by_name()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        var pid = Scripts.Executions(_directory)[0].Split(' ')[0];

        var drained = await sidecar.CliAsync("drain", "--deadline", "2s", "--wait");

        Assert.Contains("1 still running\nnothing runs any more", drained, StringComparison.Ordinal);
        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal("timeout", failed.GetProperty("code").GetString());
        Assert.Equal("drain", failed.GetProperty("deadline").GetString());
        Assert.False(LiveProcess.Exists(pid));
        Assert.Equal("draining", (await sidecar.StatusAsync()).GetProperty("intake").GetProperty("mode").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_drains_deadline_that_passes_while_the_sidecar_is_down_is_kept_by_the_next_one()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        await sidecar.CliAsync("drain", "--deadline", "2s");
        var due = (await sidecar.StatusAsync()).GetProperty("intake").GetProperty("until_unix_ms").GetInt64();
        sidecar.Program.Kill();
        Assert.Empty(hub.Of("task_failed"));

        await Wait.UntilAsync(() => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() > due, "the deadline to pass");
        await sidecar.StartAsync();

        Assert.Equal("drain", (await hub.WaitForAsync("task_failed")).GetProperty("deadline").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_pause_leaves_what_runs_alone_and_ends_by_itself_when_its_time_is_over()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "agent": { "maxConcurrentRuns": 2 } }""").StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");

        await sidecar.CliAsync("pause", "--for", "3s", "--reason", "a short breath");
        await hub.WaitForBeatAsync(beat => State(beat) == "paused" && !beat.GetProperty("available").GetBoolean(), "paused");
        await hub.SendAsync(Assign(2));
        Assert.Equal("paused", (await hub.WaitForAsync("task_rejected")).GetProperty("reason").GetString());

        await hub.WaitForBeatAsync(beat => State(beat) == "working" && beat.GetProperty("available").GetBoolean(), "available again, and the first run still there");
        Assert.Equal("open", (await sidecar.StatusAsync()).GetProperty("intake").GetProperty("mode").GetString());
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 2);
        Assert.Equal(2, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_hub_drains_and_resumes_a_machine_as_its_operator_does()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");

        await hub.SendAsync("""{"type":"drain","reason":"upgrade of the fleet","deadline_seconds":3600}""");
        var beat = await hub.WaitForBeatAsync(beat => State(beat) == "draining", "draining");
        Assert.Equal("upgrade of the fleet", beat.GetProperty("unavailable_reason").GetString());
        sidecar.Program.Kill();
        await sidecar.StartAsync();
        await hub.SendAsync(Assign(2));
        Assert.Equal("draining", (await hub.WaitForAsync("task_rejected")).GetProperty("reason").GetString());
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete"); // What ran may end, restart or not.
        await hub.SendAsync("""{"type":"resume"}""");

        await hub.WaitForBeatAsync(beat => State(beat) == "idle" && beat.GetProperty("available").GetBoolean(), "available again");
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 2);

        await hub.SendAsync("""{"type":"drain","deadline_seconds":0}""");
        await hub.WaitForBeatAsync(beat => State(beat) == "draining", "draining again");
        Assert.Equal(2, Scripts.Executions(_directory).Length);
    }

    private static string? State(JsonElement beat) => beat.GetProperty("state").GetString();

    private static string Assign(int number) => $$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""";
}
