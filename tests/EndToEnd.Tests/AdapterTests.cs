using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Every adapter with a program that behaves as the real one does: good turns are told from bad ones, whatever the exit code.</summary>
public sealed class AdapterTests : IDisposable
{
    private const string Claude = """, "--permission-mode", "bypassPermissions" """, Codex = """, "--sandbox", "danger-full-access" """, Gemini = """, "--approval-mode", "yolo" """;
    private readonly TempDir _directory = new();
    private readonly StandIn _agents;

    public AdapterTests() => _agents = new StandIn(_directory);

    public void Dispose()
    {
        _agents.Dispose();
        _directory.Dispose();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("claude-code", "claude", Claude, 2279)]
    [InlineData("codex", "codex", Codex, 1316)]
    [InlineData("gemini", "gemini", Gemini, 1375)]
    [InlineData("opencode", "opencode", "", 1346)]
    public async Task A_good_turn_is_completed_with_its_tokens_and_session(string adapter, string program, string arguments, int tokens)
    {
        var done = await CompletedAsync(_agents.Settings(adapter, program, arguments), "Say \"hi\" $(touch pwned) FAKE_EXEC:fleet-sidecar task start && echo made > made.txt && fleet-sidecar task complete --output 'by the tool':END");

        Assert.Equal(tokens, done.GetProperty("tokens_used").GetInt64());
        Assert.NotEqual("", done.GetProperty("result").GetProperty("session_id").GetString());
        Assert.Equal("by the tool", done.GetProperty("result").GetProperty("output").GetString());
        Assert.Empty(Directory.GetFiles(_directory.Path, "pwned", SearchOption.AllDirectories));
        Assert.Single(Directory.GetFiles(_directory.Path, "made.txt", SearchOption.AllDirectories));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("claude-code", "claude")]
    [InlineData("codex", "codex")]
    [InlineData("gemini", "gemini")]
    [InlineData("opencode", "opencode")]
    public async Task An_agent_that_never_reports_is_believed_by_its_programs_record(string adapter, string program) =>
        Assert.Equal("FAKE-OK canned completion", (await CompletedAsync(_agents.Settings(adapter, program), "Say hi")).GetProperty("result").GetProperty("output").GetString());

    [Theory(Timeout = 120_000)]
    [InlineData("claude-code", "claude", "FAKE_STATUS:401:END", "auth")]
    [InlineData("claude-code", "claude", "FAKE_STATUS:429:END", "rate_limited")]
    [InlineData("claude-code", "claude", "FAKE_EXEC:true:END", "config")]
    [InlineData("claude-code", "claude", "FAKE_SILENCE", "unknown")]
    [InlineData("codex", "codex", "FAKE_STATUS:401:END", "auth")]
    [InlineData("codex", "codex", "FAKE_SILENCE", "unknown")]
    [InlineData("gemini", "gemini", "FAKE_STATUS:401:END", "auth")]
    [InlineData("gemini", "gemini", "FAKE_STATUS:503:END", "provider_down")]
    [InlineData("gemini", "gemini", "FAKE_SILENCE", "unknown")]
    [InlineData("opencode", "opencode", "FAKE_STATUS:401:END", "auth")]
    [InlineData("opencode", "opencode", "FAKE_EXEC:true:END", "config")]
    [InlineData("opencode", "opencode", "FAKE_SILENCE", "unknown")]
    public async Task A_turn_that_only_looks_good_from_outside_is_a_failure_with_its_class(string adapter, string program, string description, string code)
    {
        var failed = await FailedAsync(_agents.Settings(adapter, program, variables: """, "OPENCODE_PERMISSION": "ask" """), description);

        Assert.Equal(code, failed.GetProperty("code").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_session_that_was_used_means_no_second_turn()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, _agents.Settings("claude-code", "claude"), "iris");
        await AssignAsync(hub, "Say hi");
        await hub.WaitForAsync("task_complete");
        using var other = await StartAsync(hub, _agents.Settings("claude-code", "claude"), "noah");

        await AssignAsync(hub, "Say hi");

        Assert.Contains("already in use", (await hub.WaitForAsync("task_failed")).GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    private async Task<JsonElement> CompletedAsync(string settings, string description)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, settings);
        await AssignAsync(hub, description);
        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "an end");
        Assert.Empty(hub.Of("task_failed").Select(frame => frame.ToString()));
        return hub.Of("task_complete").Single();
    }

    private async Task<JsonElement> FailedAsync(string settings, string description)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, settings);
        await AssignAsync(hub, description);
        return await hub.WaitForAsync("task_failed");
    }

    private Task<TestSidecar> StartAsync(ScriptedHub hub, string settings, string name = "iris") => TestSidecar.Create(_directory, hub.SocketUrl, "token-token", "/bin/false", settings, name).StartAsync();

    private static Task AssignAsync(ScriptedHub hub, string description) =>
        hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":{{TestHub.Quote(description)}}}""");
}
