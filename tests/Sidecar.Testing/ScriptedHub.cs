using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.Testing;

/// <summary>A hub under the test's control: records every frame, answers as AgentCom does (or as version 2), and can say anything.</summary>
/// <remarks>In version 1 it is strict, as measured on the real one: an unknown kind is a violation and ten of them close the socket.</remarks>
public sealed class ScriptedHub : IAsyncDisposable
{
    private static readonly HashSet<string> V1Kinds =
    [
        "identify", "ping", "task_accepted", "task_progress", "task_complete", "task_failed", "task_recovering", "state_report", "wake_result", "resource_report",
    ];

    private readonly WebApplication _app;
    private readonly int _version;
    private readonly ConcurrentQueue<JsonElement> _frames = new();
    private readonly SemaphoreSlim _turn = new(1);
    private volatile WebSocket? _socket;

    private ScriptedHub(WebApplication app, int version) => (_app, _version) = (app, version);

    public string SocketUrl => _app.Urls.First().Replace("http", "ws", StringComparison.Ordinal) + "/ws";

    public IReadOnlyCollection<JsonElement> Frames => _frames;

    public int Violations { get; private set; }

    public int Identified { get; private set; }

    /// <summary>What to answer at the upgrade instead of switching protocols; 101 switches.</summary>
    public int UpgradeStatus { get; set; } = 101;

    public string? RetryAfter { get; set; }

    /// <summary>Token that is accepted; null accepts any.</summary>
    public string? Token { get; set; }

    /// <summary>What this hub makes of a completion: <c>complete</c>, or <c>retried</c> where it judges it as a failed attempt and gives out another.</summary>
    public string CompletionAnswer { get; set; } = "complete";

    /// <summary>Answers to messages of a sidecar; null leaves a frame without an answer.</summary>
    public Func<JsonElement, string?>? Answer { get; set; }

    /// <summary>How far its clock is ahead of ours; null where it does not tell its time.</summary>
    public TimeSpan? ClockAhead { get; set; }

    public static async Task<ScriptedHub> StartAsync(int version)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var hub = new ScriptedHub(app, version);
        app.UseWebSockets();
        app.Run(hub.ServeAsync);
        await app.StartAsync();
        return hub;
    }

    public IEnumerable<JsonElement> Of(string type) => _frames.Where(frame => frame.GetProperty("type").GetString() == type);

    public async Task<JsonElement> WaitForAsync(string type, int count = 1, TimeSpan? limit = null)
    {
        try
        {
            await Wait.UntilAsync(() => Of(type).Count() >= count, $"{count} frames {type}", limit);
            return Of(type).ElementAt(count - 1);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}; there were {string.Join(' ', _frames.Select(frame => frame.GetProperty("type").GetString()))}");
        }
    }

    /// <summary>Waits for a heartbeat that comes from now on and looks like this.</summary>
    public async Task<JsonElement> WaitForBeatAsync(Func<JsonElement, bool> looks, string what, TimeSpan? limit = null)
    {
        var seen = _frames.Count;
        JsonElement? found = null;
        bool Look()
        {
            found = _frames.Skip(seen).Where(frame => frame.GetProperty("type").GetString() == "heartbeat" && looks(frame)).Select(frame => (JsonElement?)frame).FirstOrDefault();
            return found is not null;
        }

        try
        {
            await Wait.UntilAsync(Look, $"a heartbeat that says {what}", limit);
            return found!.Value;
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}; the last one was {Of("heartbeat").LastOrDefault()}");
        }
    }

    public Task SendAsync(string frame) => SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text);

    public async Task SendAsync(byte[] frame, WebSocketMessageType type)
    {
        await _turn.WaitAsync();
        try
        {
            await _socket!.SendAsync(frame, type, true, CancellationToken.None);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the connection without a goodbye.</summary>
    public void Drop() => _socket?.Abort();

    public Task CloseAsync(int code, string reason) => _socket!.CloseOutputAsync((WebSocketCloseStatus)code, reason, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        Drop();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _turn.Dispose();
    }

    private async Task ServeAsync(HttpContext context)
    {
        if (UpgradeStatus != 101)
        {
            context.Response.StatusCode = UpgradeStatus;
            context.Response.Headers.RetryAfter = RetryAfter;
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        _socket = socket;
        var buffer = new byte[2 * 1024 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length), context.RequestAborted);
                    length += part.Count;
                }
                while (!part.EndOfMessage);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                await HearAsync(JsonDocument.Parse(buffer.AsMemory(0, length).ToArray()).RootElement);
            }
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or IOException)
        {
        }
    }

    private async Task HearAsync(JsonElement frame)
    {
        _frames.Enqueue(frame);
        var type = frame.GetProperty("type").GetString()!;
        if (_version == 1 && !V1Kinds.Contains(type))
        {
            Violations++;
            await SendAsync("""{"type":"error","error":"validation_failed"}""");
            return;
        }

        if (Answer?.Invoke(frame) is { } own)
        {
            if (own.Length > 0)
            {
                await SendAsync(own);
            }

            return;
        }

        if (Usual(type, frame) is { } answer)
        {
            await SendAsync(answer);
        }
    }

    private string Clock => ClockAhead is { } ahead ? $",\"timestamp\":{TimeProvider.System.GetUtcNow().Add(ahead).ToUnixTimeMilliseconds()}" : "";

    private string? Usual(string type, JsonElement frame)
    {
        var task = frame.TryGetProperty("task_id", out var id) ? id.GetString() : "";
        var message = _version == 2 && frame.TryGetProperty("message_id", out var messageId) ? $",\"message_id\":\"{messageId.GetString()}\"" : "";
        switch (type)
        {
            case "identify" when Token is not null && frame.GetProperty("token").GetString() != Token:
                return """{"type":"error","error":"invalid_token"}""";
            case "identify":
                Identified++;
                return _version == 1 ? $$"""{"type":"identified","agent_id":"{{frame.GetProperty("agent_id").GetString()}}"}"""
                    : $$"""{"type":"identified","agent_id":"{{frame.GetProperty("agent_id").GetString()}}","protocol_version":2{{Clock}}}""";
            case "ping" or "heartbeat":
                return $$"""{"type":"pong"{{Clock}}}""";
            case "task_accepted" when _version == 1:
                return $$"""{"type":"task_ack","task_id":"{{task}}","status":"accepted"}""";
            case "task_complete":
                return $$"""{"type":"task_ack","task_id":"{{task}}","status":"{{CompletionAnswer}}"{{message}}}""";
            case "task_failed":
                return $$"""{"type":"task_ack","task_id":"{{task}}","status":"retried"{{message}}}""";
            case "state_report":
                return $$"""{"type":"state_report_ack","task_id":"{{task}}","action":"continue"}""";
            default:
                return null;
        }
    }
}
