using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.AgentStandIn;

/// <summary>OpenClaw's gateway: protocol 4 over a real WebSocket, sessions on disk, idempotency keys in memory only; a session that was interrupted by its death goes on under another run id.</summary>
internal sealed partial class GatewayStandIn(string token, string state)
{
    private static readonly TimeSpan TakesUpAfter = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<string, Task<GatewaySession>> _runs = new();
    private string _heartbeat = """{"ts":0,"status":"skipped"}""";

    public static async Task<int> RunAsync(int port, string token, string state)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        var gateway = new GatewayStandIn(token, state);
        app.UseWebSockets();
        app.Run(gateway.ServeAsync);
        await app.StartAsync();
        await File.WriteAllTextAsync(Path.Combine(state, "port"), $"{port}");
        gateway.TakeUp();
        Console.WriteLine("[gateway] ready");
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None);
        return 0;
    }

    public static string Final(string runId, string session) => $$$$$"""
        {"runId":{{{{{Errand.Json(runId)}}}}},"status":"ok","summary":"completed","result":{"payloads":[{"text":{{{{{Errand.Json(Errand.Said)}}}}}}],"meta":{"agentMeta":{"sessionId":{{{{{Errand.Json(session)}}}}},"provider":"fake","model":"fake-1","usage":{"input":1203,"output":34,"cacheRead":0,"cacheWrite":0,"total":1237},"costUsd":0.004119},"aborted":false}}}
        """;

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    private async Task ServeAsync(HttpContext context)
    {
        if (context.Request.Path == "/event")
        {
            _ = HeartbeatAsync(await JsonSerializer.DeserializeAsync<string>(context.Request.Body) ?? "");
            return;
        }

        if (context.Request.Path == "/heartbeat")
        {
            await context.Response.WriteAsync(_heartbeat);
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        using var conversation = new GatewayConversation(socket, token, this);
        await conversation.HoldAsync(context.RequestAborted);
    }

    public GatewaySession? Find(string key) => GatewaySession.Read(state, key);

    /// <summary>Starts a run, or finds the one with its key while this process lives.</summary>
    public Task<GatewaySession> Run(string key, string runId, string message) => _runs.GetOrAdd(runId, _ => WorkAsync(new GatewaySession(key, "running", runId, null, message)));

    public async Task<GatewaySession?> WaitAsync(string runId, TimeSpan limit) =>
        _runs.TryGetValue(runId, out var run) && await Task.WhenAny(run, Task.Delay(limit, TimeProvider.System, CancellationToken.None)) == run ? await run : null;

    /// <summary>Noted, so that a test sees it; the work itself is short.</summary>
    public void Abort(string key) => File.AppendAllText(Path.Combine(state, "aborts"), $"{key}\n");

    private void TakeUp()
    {
        foreach (var session in GatewaySession.All(state).Where(session => session.Status == "running"))
        {
            _runs[$"taken-up-{session.RunId}"] = WorkAsync(session with { RunId = $"taken-up-{session.RunId}" }, TakesUpAfter);
        }
    }

    private async Task<GatewaySession> WorkAsync(GatewaySession session, TimeSpan first = default)
    {
        session.Write(state);
        await Task.Delay(first, TimeProvider.System, CancellationToken.None);
        await File.AppendAllTextAsync(Path.Combine(state, "turns"), $"{session.RunId}\n");
        var errand = new Errand(session.Message);
        await errand.SleepAsync();
        if (errand.Status is null)
        {
            await errand.ExecAsync();
            await errand.ReportAsync();
        }

        session = session with { Status = errand.Status is null ? "done" : "failed", EndedAt = Now };
        session.Write(state);
        return session;
    }

    private async Task HeartbeatAsync(string text)
    {
        var errand = new Errand(await File.ReadAllTextAsync(PromptFile().Match(text).Groups["file"].Value));
        _heartbeat = errand.Status is { } status
            ? $$"""{"ts":{{Now}},"status":"failed","reason":"agent-runner-failure","preview":"fake failure: HTTP {{status}}"}"""
            : $$"""{"ts":{{Now}},"status":"skipped","reason":"target-none","preview":{{Errand.Json(Errand.Said)}}}""";
        if (errand.Status is null)
        {
            await errand.ReportAsync();
        }
    }

    [GeneratedRegex("Read (?<file>/.*) now and do")]
    private static partial Regex PromptFile();
}

/// <summary>A row of the sessions, kept on disk.</summary>
internal sealed record GatewaySession(string Key, string Status, string RunId, long? EndedAt, string Message)
{
    public static IEnumerable<GatewaySession> All(string state) => Directory.GetFiles(state, "*.session").Select(file => JsonSerializer.Deserialize<GatewaySession>(File.ReadAllText(file))!);

    public static GatewaySession? Read(string state, string key) => All(state).FirstOrDefault(session => session.Key == key);

    public void Write(string state)
    {
        var file = Path.Combine(state, $"{Key.Replace(':', '_')}.session");
        File.WriteAllText($"{file}.new", JsonSerializer.Serialize(this));
        File.Move($"{file}.new", file, overwrite: true);
    }
}
