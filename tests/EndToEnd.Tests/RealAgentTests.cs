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
        var program = RealAgent.Find(adapter) ;
        var profile = new JsonObject { ["name"] = "main", ["adapter"] = adapter, ["aliveFor"] = "00:01:00", ["retries"] = 0, ["command"] = new JsonArray([program, .. RealAgent.Arguments(adapter)]) };
        var variables = new JsonObject { ["HOME"] = _directory.Path };
        foreach (var (name, value) in RealAgent.Prepare(adapter, _directory, provider.Address))
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
}

/// <summary>Where a real agent program is, and how it is led to a provider of ours.</summary>
internal static class RealAgent
{
    /// <summary>Its path; a missing one skips the test and says what is missing.</summary>
    public static string Find(string adapter)
    {
        var name = adapter == "claude-code" ? "claude" : adapter;
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
        if (found is null)
        {
            Assert.Skip($"'{name}' is not on the PATH; install it to test the adapter {adapter} with the real program");
        }

        return found!;
    }

    public static string[] Arguments(string adapter) => adapter switch
    {
        "claude-code" => ["--permission-mode", "bypassPermissions"],
        "codex" => ["--sandbox", "danger-full-access"],
        "gemini" => ["--approval-mode", "yolo", "-m", "gemini-2.5-flash"],
        "opencode" => ["-m", $"fake/{FakeProvider.Model}"],
        _ => [],
    };

    /// <summary>Writes what the program reads from its home, and returns the variables that it needs.</summary>
    public static Dictionary<string, string> Prepare(string adapter, TempDir home, string address)
    {
        switch (adapter)
        {
            case "claude-code":
                return new() { ["ANTHROPIC_BASE_URL"] = address, ["ANTHROPIC_API_KEY"] = "none", ["CLAUDE_CODE_MAX_RETRIES"] = "1", ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1", ["IS_SANDBOX"] = "1" };
            case "codex":
                home.Write(".codex/config.toml", $"""
                    model = "{FakeProvider.Model}"
                    model_provider = "fake"
                    [model_providers.fake]
                    name = "fake"
                    base_url = "{address}/v1"
                    env_key = "FAKE_KEY"
                    wire_api = "responses"
                    request_max_retries = 1
                    stream_max_retries = 1
                    """);
                return new() { ["FAKE_KEY"] = "none" };
            case "gemini":
                home.Write(".gemini/settings.json", """{"security":{"auth":{"selectedType":"gemini-api-key"}}}""");
                return new() { ["GEMINI_API_KEY"] = "none", ["GOOGLE_GEMINI_BASE_URL"] = address };
            case "opencode":
                home.Write(".config/opencode/opencode.json", $$$$$$"""{"provider":{"fake":{"npm":"@ai-sdk/openai-compatible","name":"fake","options":{"baseURL":"{{{{{{address}}}}}}/v1","apiKey":"none"},"models":{"fake-1":{"name":"fake-1"}}}}}""");
                return [];
            default:
                home.Write(".openclaw/openclaw.json", $$$$$$"""
                    { "gateway": { "mode": "local", "bind": "loopback", "auth": { "mode": "token", "token": "{{{{{{StandIn.GatewayToken}}}}}}" } },
                      "models": { "providers": { "fake": { "baseUrl": "{{{{{{address}}}}}}/v1", "apiKey": "none", "api": "openai-completions", "models": [
                        { "id": "fake-1", "name": "fake-1", "reasoning": false, "input": ["text"], "cost": { "input": 3, "output": 15, "cacheRead": 0, "cacheWrite": 0 }, "contextWindow": 200000, "maxTokens": 8000 } ] } } },
                      "agents": { "defaults": { "model": { "primary": "fake/fake-1" }, "workspace": "{{{{{{home["openclaw-workspace"]}}}}}}", "heartbeat": { "every": "0m" } } } }
                    """);
                return [];
        }
    }
}
