using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace FleetSidecar.Testing;

/// <summary>A sidecar spoken by hand: what a hostile or broken one could say to a hub.</summary>
public sealed class RawAgent : IDisposable
{
    private readonly ClientWebSocket _socket = new();

    private RawAgent()
    {
    }

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    public static async Task<RawAgent> ConnectAsync(string url)
    {
        var agent = new RawAgent();
        agent._socket.Options.Proxy = null;
        await agent._socket.ConnectAsync(new Uri(url), CancellationToken.None);
        return agent;
    }

    /// <summary>Connects, identifies and says that it is available.</summary>
    public static async Task<RawAgent> IdentifyAsync(string url, string name, string token, int version = 2, string? instance = null)
    {
        var agent = await CallAsync(url, name, token, version, instance);
        await agent.ReadAsync("identified");
        if (version == 2)
        {
            await agent.BeatAsync();
        }

        return agent;
    }

    /// <summary>Connects and identifies; the answer is not read.</summary>
    public static async Task<RawAgent> CallAsync(string url, string name, string token, int version = 2, string? instance = null)
    {
        var agent = await ConnectAsync(url);
        var named = instance is null ? "" : $",\"instance_id\":\"{instance}\"";
        await agent.SendAsync($$"""{"type":"identify","agent_id":"{{name}}","token":"{{token}}","capabilities":["code"],"protocol_version":{{version}}{{named}}}""");
        return agent;
    }

    /// <summary>Answers the hub's goodbye, as the library of a living peer does by itself.</summary>
    public Task AnswerCloseAsync() => _socket.CloseOutputAsync(_socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure, _socket.CloseStatusDescription, CancellationToken.None);

    public string? CloseText => _socket.CloseStatusDescription;

    public Task BeatAsync(string runs = "[]") => SendAsync($$"""{"type":"heartbeat","timestamp":1,"state":"idle","available":true,"slots":1,"runs":{{runs}}}""");

    public Task SendAsync(string frame) => SendAsync(Encoding.UTF8.GetBytes(frame));

    public Task SendAsync(byte[] frame, WebSocketMessageType type = WebSocketMessageType.Text) => _socket.SendAsync(frame, type, true, CancellationToken.None);

    /// <summary>Reads until a frame of a type; others are dropped.</summary>
    public async Task<JsonElement> ReadAsync(string type)
    {
        while (true)
        {
            var frame = await NextAsync() ?? throw new InvalidOperationException($"closed with {_socket.CloseStatus} while waiting for {type}");
            if (frame.GetProperty("type").GetString() == type)
            {
                return frame;
            }
        }
    }

    /// <summary>The next frame, or null when the hub closed.</summary>
    public async Task<JsonElement?> NextAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[64 * 1024];
        using var whole = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer, limit.Token);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return null;
                }

                whole.Write(buffer, 0, part.Count);
                if (part.EndOfMessage)
                {
                    return JsonDocument.Parse(whole.ToArray()).RootElement;
                }
            }
        }
        catch (WebSocketException)
        {
            return null;
        }
    }

    public void Dispose() => _socket.Dispose();
}
