using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>The real programs, as they are installed here, against a provider that costs nothing. Run by <c>FLEET_REAL_AGENTS=1 scripts/test.sh</c> only.</summary>
public sealed class RealAgentTests : IDisposable
{
    private readonly TempDir _directory = new();
    private TestProgram? _gateway;

    public void Dispose()
    {
        _gateway?.Dispose();
        _directory.Dispose();
    }

    [Theory(Explicit = true, Timeout = 300_000)]
    [InlineData("claude-code")]
    [InlineData("codex")]
    [InlineData("gemini")]
    [InlineData("opencode")]
    [InlineData("openclaw")]
    public async Task A_real_agent_does_a_task_and_its_record_is_read(string adapter)
    {
        await using var provider = await FakeProvider.StartAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, provider, adapter);

        await AssignAsync(hub, "Say \"hi\" $(touch pwned) FAKE_EXEC:echo made > made.txt:END");

        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "an end", TimeSpan.FromMinutes(3));
        Assert.Empty(hub.Of("task_failed").Select(frame => frame.ToString()));
        var done = hub.Of("task_complete").Single();
        Assert.True(done.GetProperty("tokens_used").GetInt64() > 1000);
        Assert.Equal(FakeProvider.Said, done.GetProperty("result").GetProperty("output").GetString());
        Assert.NotEqual("", done.GetProperty("result").GetProperty("session_id").GetString());
        Assert.NotEmpty(Directory.GetFiles(_directory.Path, "made.txt", SearchOption.AllDirectories));
        Assert.Empty(Directory.GetFiles(_directory.Path, "pwned", SearchOption.AllDirectories));
    }

    [Theory(Explicit = true, Timeout = 300_000)]
    [InlineData("claude-code")]
    [InlineData("codex")]
    [InlineData("gemini")]
    [InlineData("opencode")]
    [InlineData("openclaw")]
    public async Task A_real_agent_whose_key_is_refused_is_no_success(string adapter)
    {
        await using var provider = await FakeProvider.StartAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, provider, adapter);

        await AssignAsync(hub, "FAKE_STATUS:401:END");

        Assert.Equal("auth", (await hub.WaitForAsync("task_failed", limit: TimeSpan.FromMinutes(3))).GetProperty("code").GetString());
    }

    private async Task<TestSidecar> StartAsync(ScriptedHub hub, FakeProvider provider, string adapter)
    {
        var program = Find(adapter);
        var profile = new JsonObject { ["name"] = "main", ["adapter"] = adapter, ["aliveFor"] = "00:01:00", ["retries"] = 0, ["command"] = new JsonArray([program, .. RealAgent.Arguments(adapter)]) };
        var variables = new JsonObject { ["HOME"] = _directory.Path };
        foreach (var (name, value) in RealAgent.Prepare(adapter, _directory.Path, _directory.Path, provider.Address))
        {
            variables[name] = value;
        }

        profile["environment"] = variables;
        if (adapter == "openclaw")
        {
            var port = FreePort.Take();
            _gateway = TestProgram.Start(program, ["gateway", "run", "--port", $"{port}"], new Dictionary<string, string?> { ["HOME"] = _directory.Path, ["OPENCLAW_NO_RESPAWN"] = "1" });
            await _gateway.WaitForLineAsync("[gateway] ready", TimeSpan.FromMinutes(1));
            profile["openClaw"] = new JsonObject { ["gateway"] = $"ws://127.0.0.1:{port}", ["tokenFile"] = _directory.Write("gateway-token", StandIn.GatewayToken) };
        }

        var settings = new JsonObject { ["wake"] = new JsonObject { ["profiles"] = new JsonArray(profile) } };
        return await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", "/bin/false", settings.ToJsonString()).StartAsync();
    }

    private static Task AssignAsync(ScriptedHub hub, string description) =>
        hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":{{TestHub.Quote(description)}}}""");

    /// <summary>Its path; a missing one skips the test and says what is missing.</summary>
    private static string Find(string adapter)
    {
        var name = RealAgent.Program(adapter);
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
        if (found is null)
        {
            Assert.Skip($"'{name}' is not on the PATH; install it to test the adapter {adapter} with the real program");
        }

        return found!;
    }
}
