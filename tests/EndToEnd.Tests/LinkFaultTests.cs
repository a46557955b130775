using System.Net.WebSockets;
using System.Text;

namespace FleetSidecar.EndToEnd;

/// <summary>What the network and a strange hub can do to a sidecar, and what a strange sidecar can do to a hub.</summary>
public sealed class LinkFaultTests : IDisposable
{
    private const string Assign = """{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_hub_that_is_down_for_ten_seconds_in_mid_task_costs_nothing()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Go on", origin.Path);
        await hub.WaitForAsync(task, "working");
        await Scripts.StartedAsync(_directory);
        var agent = Scripts.Executions(_directory)[0].Split(' ')[0];

        await hub.Program.SignalAsync("TERM");
        Assert.Equal(0, await hub.Program.EndAsync());
        await Wait.WhileAsync(() => sidecar.Program.IsRunning && LiveProcess.Exists(agent), "sidecar and agent live on", TimeSpan.FromSeconds(10));
        await hub.StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_black_hole_without_a_goodbye_is_noticed_by_the_missing_pong_and_the_result_arrives_afterwards()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var proxy = new TcpProxy(hub.Port);
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Through the hole");
        await hub.WaitForAsync(task, "working");

        proxy.BlackHole();
        Scripts.Go(_directory);
        await sidecar.Program.WaitForLineAsync("no pong within");
        proxy.Heal();

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task Oversized_malformed_binary_and_unknown_frames_are_refused_and_the_link_stays_up()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","description":"{{new string('x', 1024 * 1024)}}"}""");
        await hub.SendAsync("{\"type\":\"task_assign\"");
        await hub.SendAsync(Encoding.UTF8.GetBytes(Assign), WebSocketMessageType.Binary);
        await hub.SendAsync("""{"type":"agent_joined","agent":{}}""");
        await hub.SendAsync("""{"type":"task_assign","task_id":"../escape"}""");
        await hub.SendAsync(Assign);

        await hub.WaitForAsync("task_complete");
        Assert.Equal(1, hub.Identified);
        Assert.Equal(5, (await sidecar.StatusAsync()).GetProperty("refused_frames").GetInt32());
        foreach (var word in new[] { "frame_too_large", "invalid_json", "not_text", "unknown_message_type", "invalid_message" })
        {
            await sidecar.Program.WaitForLineAsync(word);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_answers_a_bad_frame_with_its_word_and_keeps_the_link()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        async Task<string?> AnswerTo(byte[] frame, WebSocketMessageType type = WebSocketMessageType.Text)
        {
            await agent.SendAsync(frame, type);
            return (await agent.ReadAsync("error")).GetProperty("error").GetString();
        }

        Assert.Equal("frame_too_large", await AnswerTo(new byte[(1024 * 1024) + 1]));
        Assert.Equal("invalid_json", await AnswerTo("{"u8.ToArray()));
        Assert.Equal("not_text", await AnswerTo("{}"u8.ToArray(), WebSocketMessageType.Binary));
        Assert.Equal("unknown_message_type", await AnswerTo("""{"type":"drop_tables"}"""u8.ToArray()));
        Assert.Equal("invalid_message", await AnswerTo("""{"type":"task_complete","task_id":"a"}"""u8.ToArray()));
        await agent.SendAsync("""{"type":"ping"}""");

        await agent.ReadAsync("pong");
    }

    [Fact(Timeout = 120_000)]
    public async Task Text_that_is_not_utf8_ends_the_connection_as_rfc_6455_asks_and_nothing_else()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token);

        await agent.SendAsync([0xff, 0xfe, 0x00]);

        while (await agent.NextAsync() is not null)
        {
        }

        Assert.Equal(WebSocketCloseStatus.InvalidPayloadData, agent.CloseStatus);
        using var again = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_first_frame_that_is_not_identify_and_a_wrong_token_are_refused_by_the_hub()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        foreach (var (frame, code) in new[]
        {
            ("""{"type":"ping"}""", "not_identified"),
            ("""{"type":"identify","agent_id":"iris","token":"fleet_wrong"}""", "invalid_token"),
            ($$"""{"type":"identify","agent_id":"mallory","token":"{{token}}"}""", "token_agent_mismatch"),
            ($$"""{"type":"identify","agent_id":"tester","token":"{{await hub.TokenAsync("tester", "operator")}}"}""", "token_agent_mismatch"),
        })
        {
            using var agent = await RawAgent.ConnectAsync(hub.SocketUrl);
            await agent.SendAsync(frame);
            Assert.Equal(code, (await agent.ReadAsync("error")).GetProperty("error").GetString());
            Assert.Null(await agent.NextAsync());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_wrong_token_shows_in_status_is_retried_slowly_and_works_again_when_the_file_is_mended()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "fleet_wrong-token", Scripts.Worker(_directory)).StartAsync(waitForLink: false);

        await sidecar.Program.WaitForLinesAsync("LinkRefused]", 2);
        var detail = await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("hub") is var hub && hub.GetProperty("state").GetString() == "refused" ? hub.GetProperty("detail").GetString() : null, "the status refused, between two attempts");
        Assert.Contains("invalid_token", detail, StringComparison.Ordinal);
        Assert.True(sidecar.Program.IsRunning);

        File.Delete(sidecar.TokenFile);
        await sidecar.Program.WaitForLineAsync("cannot read the token file");
        await File.WriteAllTextAsync(sidecar.TokenFile, await hub.TokenAsync("iris"));

        await sidecar.Program.WaitForLineAsync("LinkUp]");
        Assert.Equal("up", (await sidecar.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData(401, null, "LinkRefused]")]
    [InlineData(403, null, "LinkRefused]")]
    [InlineData(429, "2", "the hub answered 429")]
    [InlineData(503, "2", "the hub answered 503")]
    public async Task An_answer_at_the_upgrade_is_respected_and_the_sidecar_comes_back(int answer, string? retryAfter, string line)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.UpgradeStatus = answer;
        hub.RetryAfter = retryAfter;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync(waitForLink: false);
        await sidecar.Program.WaitForLineAsync(line);
        var since = TimeProvider.System.GetTimestamp();
        hub.UpgradeStatus = 101;

        await sidecar.Program.WaitForLineAsync("LinkUp]");
        if (retryAfter is not null)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(since) > TimeSpan.FromSeconds(1.5), "Retry-After was not waited out");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Sigterm_ends_the_sidecar_with_zero_and_leaves_the_agent_working()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Outlive me");
        await sidecar.WaitForRunAsync("working");
        var agent = Scripts.Executions(_directory)[0].Split(' ')[0];

        await sidecar.Program.SignalAsync("TERM");

        Assert.Equal(0, await sidecar.Program.EndAsync());
        Assert.True(LiveProcess.Exists(agent));
        await sidecar.StartAsync();
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");
        Assert.Equal(agent, Assert.Single(Scripts.Executions(_directory)).Split(' ')[0]);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_killed_after_it_acknowledged_has_lost_nothing()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var acknowledged = new List<string>();
        using var killer = new CancellationTokenSource();
        var adding = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    acknowledged.Add(await hub.AddAsync("Keep me"));
                }
            }
            catch (Exception gone) when (gone is HttpRequestException or InvalidOperationException or TaskCanceledException)
            {
            }
        });
        await Wait.UntilAsync(() => acknowledged.Count >= 50, "50 tasks to be acknowledged");

        hub.Kill();
        await adding;
        await hub.StartAsync();

        foreach (var id in acknowledged)
        {
            Assert.Equal("queued", (await hub.TaskAsync(id)).GetProperty("status").GetString());
        }
    }
}
