using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Sockets;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>One connection to OpenClaw's gateway: a question, then frames until its answer. One caller at a time.</summary>
internal sealed class GatewayLink : IDisposable
{
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10), Alive = TimeSpan.FromSeconds(20);

    private readonly FrameSocket _socket;
    private readonly Action<JsonElement> _heard;
    private int _questions;

    private GatewayLink(FrameSocket socket, Action<JsonElement> heard) => (_socket, _heard) = (socket, heard);

    /// <summary>Connects and is accepted.</summary>
    /// <param name="call">Where, and with which token.</param>
    /// <param name="asAdministrator">With the right to end runs of other connections.</param>
    /// <param name="heard">Gets every event.</param>
    /// <exception cref="GatewayException">It refused.</exception>
    /// <exception cref="WebSocketException">It cannot be reached, or went away.</exception>
    public static async Task<GatewayLink> OpenAsync(GatewayCall call, bool asAdministrator, Action<JsonElement> heard, TimeProvider time, CancellationToken token)
    {
        var client = new ClientWebSocket();
        (client.Options.KeepAliveInterval, client.Options.KeepAliveTimeout) = (Alive, Alive);
        var link = new GatewayLink(new FrameSocket(client, SendLimit, time), heard);
        try
        {
            await OneOrigin.ConnectAsync(client, call.Gateway, proxy: null, token);
            var hello = await link.AskAsync(id => GatewayFrames.Connect(id, call.Token, asAdministrator), token);
            return hello.Flag("ok") == true ? link : throw GatewayException.From(hello);
        }
        catch (WebSocketException fault) when (OneOrigin.RedirectionOf(client, call.Gateway) is { } elsewhere)
        {
            link.Dispose();
            throw new GatewayException($"the gateway's address {elsewhere.Words}, which is not followed", retryable: false, fault);
        }
        catch
        {
            link.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request and waits for its first answer, good or bad.</summary>
    public async Task<JsonElement> AskAsync(Func<string, byte[]> request, CancellationToken token)
    {
        var id = (++_questions).ToString(CultureInfo.InvariantCulture);
        await _socket.SendAsync(request(id), token);
        return await AnswerAsync(id, token);
    }

    /// <summary>Sends a request whose answer nobody reads; the one method that may be called while another waits.</summary>
    public Task TellAsync(Func<string, byte[]> request, CancellationToken token) => _socket.SendAsync(request("told"), token);

    /// <summary>The next answer to the newest question; some have two.</summary>
    public Task<JsonElement> NextAnswerAsync(CancellationToken token) => AnswerAsync(_questions.ToString(CultureInfo.InvariantCulture), token);

    public Task CloseAsync(CancellationToken token) => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", token);

    public void Dispose() => _socket.Dispose();

    private async Task<JsonElement> AnswerAsync(string id, CancellationToken token)
    {
        while (await _socket.ReceiveAsync(token) is { } frame)
        {
            if (frame.Refusal is not null)
            {
                throw new AnswerTooLargeException($"a frame that is {frame.Refusal.Detail}");
            }

            if (JsonRead.Parse(frame.Bytes.Span) is not { } message)
            {
                continue;
            }

            if (message.Text("type") == "res" && message.Text("id") == id)
            {
                return message;
            }

            _heard(message);
        }

        throw new WebSocketException($"the gateway closed the connection: {_socket.CloseReason}");
    }
}

/// <summary>The gateway sent more than we take in one frame. What it was about is asked of the session, on the next connection.</summary>
internal sealed class AnswerTooLargeException(string message) : IOException(message);

/// <summary>The gateway answered, and the answer was no.</summary>
internal sealed class GatewayException(string message, bool retryable, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>It says itself that another try may work: it is starting, or has too much to do.</summary>
    public bool Retryable => retryable;

    public static GatewayException From(JsonElement response) => new(
        response.Text("error", "message") ?? response.Text("payload", "summary") ?? "the gateway refused without a reason",
        response.Flag("error", "retryable") == true || response.Text("error", "details", "reason") is "startup-sidecars");
}
