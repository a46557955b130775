using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>OpenClaw by its gateway, its command line and by signals, with a gateway that dies as the real one does.</summary>
public sealed class OpenClawAdapterTests : IDisposable
{
    private const string Reports = "Say hi FAKE_REPORT:complete --output 'by the tool':END";
    private readonly TempDir _directory = new();
    private readonly StandIn _agents;

    public OpenClawAdapterTests() => _agents = new StandIn(_directory);

    public void Dispose()
    {
        _agents.Dispose();
        _directory.Dispose();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("agent", 1237)]
    [InlineData("exec", 1267)]
    [InlineData("gateway", 1237)]
    public async Task A_good_turn_is_completed_and_its_tools_know_who_they_speak_for(string via, int tokens)
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, via == "gateway" ? _agents.Gateway() : $$""", "openClaw": { "via": "{{via}}" }""");

        await AssignAsync(hub, Reports);

        var done = await DoneAsync(hub);
        Assert.Equal(tokens, done.GetProperty("tokens_used").GetInt64());
        Assert.Equal("by the tool", done.GetProperty("result").GetProperty("output").GetString());
        Assert.Equal("fake-1", done.GetProperty("result").GetProperty("model").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("gateway", "gateway-token", "FAKE_STATUS:401:END", "auth")]
    [InlineData("gateway", "other-token", "Say hi", "auth")]
    [InlineData("agent", "gateway-token", "FAKE_STATUS:401:END", "auth")]
    [InlineData("agent", "gateway-token", "FAKE_STATUS:500:END", "provider_down")]
    [InlineData("agent", "gateway-token", "FAKE_SILENCE", "unknown")]
    public async Task A_turn_that_went_wrong_says_how(string via, string token, string description, string code)
    {
        _directory.Write("other-token", "wrong\n");
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, via == "gateway" ? _agents.Gateway(token) : $$""", "openClaw": { "via": "{{via}}" }""");

        await AssignAsync(hub, description);

        Assert.Equal(code, (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_gateway_that_is_killed_in_mid_turn_goes_on_with_it_and_nobody_starts_it_twice()
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, _agents.Gateway());
        await AssignAsync(hub, "FAKE_SLEEP:2500:END");
        await Wait.UntilAsync(() => _agents.Noted("turns").Length == 1, "the turn to begin");

        _agents.KillGateway();
        await _agents.StartGatewayAsync();

        Assert.Equal("success", (await DoneAsync(hub)).GetProperty("result").GetProperty("status").GetString());
        Assert.Equal(["fleet-task-1-g1-a1", "taken-up-fleet-task-1-g1-a1"], _agents.Noted("turns"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_sidecar_that_is_killed_in_mid_turn_finds_the_turn_again()
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, _agents.Gateway());
        await AssignAsync(hub, "FAKE_SLEEP:2500:END");
        await Wait.UntilAsync(() => _agents.Noted("turns").Length == 1, "the turn to begin");

        sidecar.Program.Kill();
        await sidecar.StartAsync();

        Assert.Equal(1237, (await DoneAsync(hub)).GetProperty("tokens_used").GetInt64());
        Assert.Single(_agents.Noted("turns"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_turn_goes_on_when_an_upgrade_replaces_its_own_program_in_the_middle()
    {
        await _agents.StartGatewayAsync();
        await TestProgram.MustAsync("/bin/cp", "-r", Path.GetDirectoryName(TestProgram.Sidecar)!, _directory["program"]);
        using var turn = TestProgram.Start(_directory["program/fleet-sidecar"],
        [
            "agent-turn", "openclaw", "--gateway", _agents.GatewayAddress, "--token-file", _directory["gateway-token"], "--agent", "main", "--session-key", "fleet-task-1-g1",
            "--message-file", _directory.Write("message", "FAKE_SLEEP:2500:END"), "--timeout", "60",
        ]);
        await Wait.UntilAsync(() => _agents.Noted("turns").Length == 1, "the turn to begin");

        Directory.Delete(_directory["program"], recursive: true);

        Assert.Equal(0, await turn.EndAsync());
        Assert.Contains("fake-1", turn.Text);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_cancelled_turn_is_ended_in_the_gateway_too()
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, _agents.Gateway());
        await AssignAsync(hub, "FAKE_SLEEP:60000:END");
        await Wait.UntilAsync(() => _agents.Noted("turns").Length == 1, "the turn to begin");

        await hub.SendAsync("""{"type":"task_cancelled","task_id":"task-1","generation":1,"reason":"not needed"}""");

        await Wait.UntilAsync(() => _agents.Noted("aborts").Length > 0, "the abort");
        Assert.All(_agents.Noted("aborts"), key => Assert.Equal("agent:main:fleet-task-1-g1", key));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signal_that_is_heard_ends_in_a_report()
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, """, "mode": "signal" """);

        await AssignAsync(hub, Reports);

        Assert.Equal("by the tool", (await DoneAsync(hub)).GetProperty("result").GetProperty("output").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signal_with_a_dead_key_is_ok_by_the_command_and_no_success_here()
    {
        await _agents.StartGatewayAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, """, "mode": "signal" """);

        await AssignAsync(hub, "FAKE_STATUS:401:END");

        Assert.Matches("^(wake_unverified|auth)$", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
        Assert.Empty(hub.Of("task_complete"));
    }

    private async Task<TestSidecar> StartAsync(ScriptedHub hub, string more)
    {
        var settings = _agents.Settings("openclaw", "openclaw", more: more).TrimEnd().TrimEnd('}') + """, "deadlines": { "confirm": "00:00:03", "killGrace": "00:00:05" } }""";
        return await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", "/bin/false", settings).StartAsync();
    }

    private static async Task<JsonElement> DoneAsync(ScriptedHub hub)
    {
        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "an end", TimeSpan.FromSeconds(45));
        Assert.Empty(hub.Of("task_failed").Select(frame => frame.ToString()));
        return hub.Of("task_complete").Single();
    }

    private static Task AssignAsync(ScriptedHub hub, string description) =>
        hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":{{TestHub.Quote(description)}}}""");
}
