using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace FleetSidecar.AgentStandIn;

/// <summary>One connection to the gateway: challenge, connect, then requests, each answered on its own time.</summary>
internal sealed class GatewayConversation(WebSocket socket, string token, GatewayStandIn gateway) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private bool _connected;

    public void Dispose() => _turn.Dispose();

    public async Task HoldAsync(CancellationToken stopping)
    {
        await SendAsync("""{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}""");
        var buffer = new byte[4 * 1024 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length), stopping);
                    length += part.Count;
                }
                while (!part.EndOfMessage);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                _ = AnswerAsync(JsonDocument.Parse(buffer.AsMemory(0, length).ToArray()).RootElement);
            }
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or IOException)
        {
        }
    }

    private async Task AnswerAsync(JsonElement request)
    {
        var (id, method, with) = (request.GetProperty("id").GetString()!, request.GetProperty("method").GetString(), request.GetProperty("params"));
        if (method == "connect")
        {
            _connected = with.GetProperty("auth").GetProperty("token").GetString() == token && with.GetProperty("client").GetProperty("id").GetString() == "gateway-client";
            await (_connected ? OkAsync(id, """{"type":"hello-ok","protocol":4}""") : NoAsync(id, "unauthorized: gateway token mismatch (provide gateway auth token)"));
            return;
        }

        if (!_connected)
        {
            await NoAsync(id, "connect first");
            return;
        }

        switch (method)
        {
            case "sessions.describe":
                await OkAsync(id, $$"""{"session":{{Row(gateway.Find(with.GetProperty("key").GetString()!))}}}""");
                break;
            case "agent.wait":
                var wait = with.GetProperty("runId").GetString()!;
                var waited = await gateway.WaitAsync(wait, TimeSpan.FromMilliseconds(with.GetProperty("timeoutMs").GetInt64()));
                await OkAsync(id, $$"""{"runId":{{Errand.Json(wait)}},"status":"{{(waited is null ? "timeout" : waited.Status == "done" ? "ok" : "error")}}"}""");
                break;
            case "sessions.abort":
                gateway.Abort(with.GetProperty("key").GetString()!);
                await OkAsync(id, """{"ok":true,"status":"aborted"}""");
                break;
            case "agent":
                await AgentAsync(id, with);
                break;
            default:
                await NoAsync(id, $"unknown method: {method}");
                break;
        }
    }

    private async Task AgentAsync(string id, JsonElement with)
    {
        var (runId, key) = (with.GetProperty("idempotencyKey").GetString()!, $"agent:{with.GetProperty("agentId").GetString()}:{with.GetProperty("sessionKey").GetString()}");
        var running = gateway.Run(key, runId, with.GetProperty("message").GetString()!);
        await OkAsync(id, $$"""{"runId":{{Errand.Json(runId)}},"sessionKey":{{Errand.Json(key)}},"status":"accepted","acceptedAt":{{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}}}""");
        await SendAsync($$$$$"""{"type":"event","event":"agent","payload":{"runId":{{{{{Errand.Json(runId)}}}}},"stream":"lifecycle","data":{"phase":"start"}}}""");
        var session = await running;
        await (session.Status == "done" ? OkAsync(id, GatewayStandIn.Final(runId, $"session of {key}").Trim()) : NoAsync(id, "fake/fake-1 request failed (authentication failed, HTTP 401). Re-authenticate the provider and try again."));
    }

    private static string Row(GatewaySession? session) => session is null ? "null"
        : $$"""{"key":{{Errand.Json(session.Key)}},"sessionId":"session","status":"{{session.Status}}","lastRunId":{{Errand.Json(session.RunId)}},"abortedLastRun":false,"endedAt":{{session.EndedAt?.ToString() ?? "null"}},"model":"fake-1","modelProvider":"fake"}""";

    private Task OkAsync(string id, string payload) => SendAsync($$"""{"type":"res","id":"{{id}}","ok":true,"payload":{{payload}}}""");

    private Task NoAsync(string id, string message) => SendAsync($$$$$"""{"type":"res","id":"{{{{{id}}}}}","ok":false,"error":{"code":"UNAVAILABLE","message":{{{{{Errand.Json(message)}}}}}}}""");

    private async Task SendAsync(string frame)
    {
        await _turn.WaitAsync();
        try
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, CancellationToken.None);
        }
        catch (Exception gone) when (gone is WebSocketException or ObjectDisposedException)
        {
        }
        finally
        {
            _turn.Release();
        }
    }
}
