namespace FleetSidecar.Testing;

/// <summary>What leads a real agent program to a provider of ours.</summary>
public static class RealAgent
{
    /// <summary>The name of its program.</summary>
    public static string Program(string adapter) => adapter == "claude-code" ? "claude" : adapter;

    public static string[] Arguments(string adapter) => adapter switch
    {
        "claude-code" => ["--permission-mode", "bypassPermissions"],
        "codex" => ["--sandbox", "danger-full-access"],
        "gemini" => ["--approval-mode", "yolo", "-m", "gemini-2.5-flash"],
        "opencode" => ["-m", $"fake/{FakeProvider.Model}"],
        _ => [],
    };

    /// <summary>Writes what the program reads from its home, and returns the variables that it needs.</summary>
    /// <param name="adapter">The adapter's name.</param>
    /// <param name="directory">Where the files are written.</param>
    /// <param name="home">The same directory, or the copy of it that the program sees.</param>
    /// <param name="address">The provider's.</param>
    public static Dictionary<string, string> Prepare(string adapter, string directory, string home, string address)
    {
        switch (adapter)
        {
            case "claude-code":
                return new() { ["ANTHROPIC_BASE_URL"] = address, ["ANTHROPIC_API_KEY"] = "none", ["CLAUDE_CODE_MAX_RETRIES"] = "1", ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1", ["IS_SANDBOX"] = "1" };
            case "codex":
                Write(directory, ".codex/config.toml", $"""
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
                Write(directory, ".gemini/settings.json", """{"security":{"auth":{"selectedType":"gemini-api-key"}}}""");
                return new() { ["GEMINI_API_KEY"] = "none", ["GOOGLE_GEMINI_BASE_URL"] = address };
            case "opencode":
                Write(directory, ".config/opencode/opencode.json", $$$$$$"""{"provider":{"fake":{"npm":"@ai-sdk/openai-compatible","name":"fake","options":{"baseURL":"{{{{{{address}}}}}}/v1","apiKey":"none"},"models":{"fake-1":{"name":"fake-1"}}}}}""");
                return [];
            default:
                Write(directory, ".openclaw/openclaw.json", $$$$$$"""
                    { "gateway": { "mode": "local", "bind": "loopback", "auth": { "mode": "token", "token": "{{{{{{StandIn.GatewayToken}}}}}}" } },
                      "models": { "providers": { "fake": { "baseUrl": "{{{{{{address}}}}}}/v1", "apiKey": "none", "api": "openai-completions", "models": [
                        { "id": "fake-1", "name": "fake-1", "reasoning": false, "input": ["text"], "cost": { "input": 3, "output": 15, "cacheRead": 0, "cacheWrite": 0 }, "contextWindow": 200000, "maxTokens": 8000 } ] } } },
                      "agents": { "defaults": { "model": { "primary": "fake/fake-1" }, "workspace": "{{{{{{home}}}}}}/openclaw-workspace", "heartbeat": { "every": "0m" } } } }
                    """);
                return [];
        }
    }

    private static void Write(string directory, string name, string text)
    {
        var file = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
