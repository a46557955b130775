using System.Net;
using System.Net.Sockets;

namespace FleetSidecar.EndToEnd;

/// <summary>Deadlines by name: who is stopped, how, and what the report says; and slots that do not wait for each other.</summary>
public sealed class DeadlineTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("sleep 600", "firstActivity", "first_activity", "")]
    [InlineData("echo hello\nsleep 600", "idle", "idle", "hello")]
    [InlineData("while :; do echo busy; sleep 0.1; done", "wallClock", "wall_clock", "busy")]
    public async Task An_agent_over_its_time_is_stopped_with_its_whole_group_and_the_report_names_the_deadline(string body, string option, string name, string said)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"trap '' TERM\nfleet-sidecar task start\n{body}");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""{ "deadlines": { "{{option}}": "00:00:02" } }""").StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal(("timeout", name), (failed.GetProperty("code").GetString(), failed.GetProperty("deadline").GetString()));
        Assert.Contains(" agent.sh S ", failed.GetProperty("process_state").GetString(), StringComparison.Ordinal);
        Assert.Equal(137, failed.GetProperty("exit_code").GetInt32()); // TERM was ignored, so it was KILL.
        Assert.Contains(said, failed.GetProperty("last_output").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(LiveProcess.With($"FLEET_RUN_DIR={sidecar.State}/run_"), pid => !IsBerth(pid));
    }

    [Fact(Timeout = 120_000)]
    public async Task Output_and_words_keep_an_agent_from_being_called_idle()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, """
            fleet-sidecar task start
            for i in 1 2 3 4 5 6 7 8; do echo "$i"; sleep 0.5; done
            for i in 1 2 3 4; do fleet-sidecar task progress --percent "$i"; sleep 0.8; done
            fleet-sidecar task complete
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "deadlines": { "idle": "00:00:02", "firstActivity": "00:00:02" } }""").StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        var done = await hub.WaitForAsync("task_complete");
        Assert.Equal("progressing", done.GetProperty("result").GetProperty("wake_level").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_workspace_that_cannot_be_had_in_time_fails_by_the_name_prepare_and_holds_up_no_other_slot()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0); // Takes the connection and never says a word.
        silent.Start();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task complete");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent,
            """{ "agent": { "maxConcurrentRuns": 2 }, "deadlines": { "prepare": "00:00:04" } }""").StartAsync();

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"stuck","generation":1,"description":"x","repo":"git://127.0.0.1:{{((IPEndPoint)silent.LocalEndpoint).Port}}/x.git"}""");
        await hub.SendAsync("""{"type":"task_assign","task_id":"quick","generation":1,"description":"x"}""");

        Assert.Equal("quick", (await hub.WaitForAsync("task_complete")).GetProperty("task_id").GetString());
        Assert.Empty(hub.Of("task_failed"));
        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal(("stuck", "timeout", "prepare"), (failed.GetProperty("task_id").GetString(), failed.GetProperty("code").GetString(), failed.GetProperty("deadline").GetString()));
    }

    [Fact(Timeout = 120_000)]
    public async Task Heartbeats_come_on_time_while_the_agents_burn_every_core()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $$"""
            fleet-sidecar task start
            for i in 1 2 3; do ( while [ ! -e "$FLEET_TEST_DIR/go" ]; do :; done ) & done
            wait
            fleet-sidecar task complete
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "agent": { "maxConcurrentRuns": 3 } }""").StartAsync();
        foreach (var task in new[] { "a", "b", "c" })
        {
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":1,"description":"x"}""");
        }

        await Wait.UntilAsync(() => hub.Of("wake_result").Count() == 3, "three agents at work");
        var before = hub.Of("heartbeat").Count();
        await Wait.UntilAsync(() => hub.Of("heartbeat").Count() >= before + 8, "eight heartbeats");

        // The interval is a second and a tenth at most; the sender's own clock says when each was made.
        var times = hub.Of("heartbeat").Skip(before).Take(8).Select(beat => beat.GetProperty("timestamp").GetInt64()).ToList();
        Assert.All(times.Zip(times.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, 0, 3500)); // A dead link is called dead after two seconds without an answer.
        Scripts.Go(_directory);
        await Wait.UntilAsync(() => hub.Of("task_complete").Count() == 3, "three results");
    }

    private static bool IsBerth(string pid) => LiveProcess.With("FLEET_RECORDER_OF=").Contains(pid);
}
