using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.EndToEnd;

/// <summary>Every loop: success, failure, success. What failed in between neither ends the loop nor stays with it.</summary>
public sealed class LoopTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_run_loop_takes_a_run_then_has_no_store_then_takes_the_next()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub);
        await DoAsync(hub, 1);

        using var holder = Scripts.HoldDatabase(_directory);
        await holder.WaitForLineAsync("held");
        await hub.SendAsync(Assign(2));
        await sidecar.Program.WaitForLineAsync("StoreUnavailable]");
        Assert.Single(hub.Of("task_accepted")); // Nothing is promised that is not on disk.
        _directory.Write("release", "");

        // In time for its deadline; what the closed store had to say to it is over, or it is turned down and comes again.
        await Wait.UntilAsync(() => hub.Of("task_accepted").Count() + hub.Of("task_rejected").Count() >= 2, "an answer to the second assignment");
        await sidecar.Program.WaitForLineAsync("StoreRecovered]");
        await sidecar.WaitForAvailableAsync();
        await DoAsync(hub, 2, 3);
        Assert.Equal(Scripts.Executions(_directory).Length, Scripts.Executions(_directory).Distinct().Count());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_link_loop_has_a_hub_then_none_then_one_again_and_again()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub);
        for (var round = 1; round <= 3; round++)
        {
            await DoAsync(hub, round);
            hub.UpgradeStatus = 503;
            hub.Drop();
            await sidecar.Program.WaitForLinesAsync("the hub answered 503", round);
            hub.UpgradeStatus = 101;
            await sidecar.Program.WaitForLinesAsync("LinkUp]", round + 1);
        }

        Assert.Equal(3, Scripts.Executions(_directory).Length);
        Assert.Equal(0, (await sidecar.StatusAsync()).GetProperty("outbox_messages").GetInt32());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_outbox_pump_is_heard_then_not_then_heard_and_says_it_under_the_same_id()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub);
        await DoAsync(hub, 1);
        hub.Answer = frame =>
        {
            if (frame.GetProperty("type").GetString() != "task_complete")
            {
                return null;
            }

            hub.Answer = null;
            hub.Drop();
            return "";
        };

        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 3);
        await DoAsync(hub, 3);

        var ids = hub.Of("task_complete").Select(frame => (Task: frame.GetProperty("task_id").GetString(), Id: frame.GetProperty("message_id").GetString())).ToList();
        Assert.Equal(["task-1", "task-2", "task-2", "task-3"], ids.Select(one => one.Task));
        Assert.Equal(3, ids.Distinct().Count());
        Assert.Equal(3, Scripts.Executions(_directory).Length);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("bin/git", "git")]
    [InlineData("agent.sh", "wake")]
    public async Task The_self_test_loop_passes_then_fails_then_passes_and_the_hub_assigns_only_then(string program, string check)
    {
        using var hub = await TestHub.StartAsync(_directory);
        Directory.CreateDirectory(_directory["bin"]);
        foreach (var tool in new[] { "git", "sleep" })
        {
            File.CreateSymbolicLink(_directory[$"bin/{tool}"], $"/usr/bin/{tool}");
        }

        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory), """{ "selfTest": { "interval": "00:00:01" } }""");
        Scripts.Go(_directory);
        await sidecar.StartAsync(environment: new Dictionary<string, string?> { ["PATH"] = _directory["bin"] });
        await hub.WaitForAsync(await hub.AddAsync("before"), "completed");

        File.Move(_directory[program], _directory["away"]);
        await sidecar.Program.WaitForLineAsync($"SelfTestFailed] the self-test fails, no work is taken: {check}:");
        await Wait.ForAsync(async () => (await AgentAsync(hub)).Contains("\"unavailable\"", StringComparison.Ordinal) ? new object() : null, "the hub to know");
        var task = await hub.AddAsync("meanwhile");
        await Wait.WhileAsync(() => hub.TaskAsync(task).GetAwaiter().GetResult().GetProperty("status").GetString() == "queued", "the task stays queued", TimeSpan.FromSeconds(3));
        File.Move(_directory["away"], _directory[program]);

        await sidecar.Program.WaitForLineAsync("SelfTestPassed]");
        await hub.WaitForAsync(task, "completed");
        Assert.Equal(1, await hub.CountAsync(task, "assigned"));
        Assert.Equal(2, Scripts.Executions(_directory).Length);
        Assert.Contains("\"idle\"", await AgentAsync(hub), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_control_server_answers_then_hears_nonsense_and_silence_then_answers()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub);
        await sidecar.StatusAsync();
        async Task<string> SayAsync(string text)
        {
            using var socket = await ConnectAsync();
            try
            {
                await socket.SendAsync(Encoding.UTF8.GetBytes(text));
                socket.Shutdown(SocketShutdown.Send);
                var buffer = new byte[65536];
                return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
            }
            catch (SocketException)
            {
                return "cut off";
            }
        }

        foreach (var nonsense in new[] { "\n", "{", "GET / HTTP/1.1\r\n\r\n", "[]\n", "{\"verb\":null}\n", "{\"verb\":\"status\",\"seconds\":\"x\"}\n" })
        {
            Assert.Contains("\"ok\":false", await SayAsync(nonsense), StringComparison.Ordinal);
        }

        Assert.Contains("unknown verb", await SayAsync("{\"verb\":\"dance\"}\n"), StringComparison.Ordinal);
        await SayAsync(new string('x', 2_000_000));
        (await ConnectAsync()).Dispose();
        var silent = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => ConnectAsync())); // All the places there are.

        Assert.Equal("up", (await sidecar.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
        await DoAsync(hub, 1);
        Array.ForEach(silent, socket => socket.Dispose());
        Assert.True(sidecar.Program.IsRunning);
    }

    private async Task<TestSidecar> StartAsync(ScriptedHub hub)
    {
        Scripts.Go(_directory);

        // A link that was up for a moment counts as stable, or the pauses between the rounds would grow.
        var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "hub": { "stableAfter": "00:00:00" } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();
        return sidecar;
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_directory["iris.sock"]));
        return socket;
    }

    private static async Task<string> AgentAsync(TestHub hub) => (await hub.GetAsync("/api/agents")).ToString();

    private static async Task DoAsync(ScriptedHub hub, params int[] numbers)
    {
        foreach (var number in numbers)
        {
            await hub.SendAsync(Assign(number));
            await Wait.UntilAsync(() => hub.Of("task_complete").Any(frame => frame.GetProperty("task_id").GetString() == $"task-{number}"), $"task-{number} to be complete");
        }
    }

    private static string Assign(int number) => $$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""";
}
