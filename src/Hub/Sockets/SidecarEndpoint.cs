using System.Net.WebSockets;
using FleetHub.Agents;
using FleetHub.Tasks;
using FleetHub.Tokens;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Sockets;

/// <summary>The socket that sidecars dial: identify, then serve until it ends. A bad frame is answered and the link stays up.</summary>
internal sealed partial class SidecarEndpoint(
    AgentRegistry agents, TaskQueue queue, TokenStore tokens, MessageHandler handler, HubOptions options, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<SidecarEndpoint> log)
{
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10);

    // A peer that sends nothing but nonsense is cut off after this many bad frames in a row.
    private const int MostBadFrames = 100;

    // A peer that answers our goodbye repeats its code; one that leaves by itself has another.
    private const string GoodbyeCode = "1008";

    private static readonly string RetryIn = $"retry in {(int)IdentityRules.Window.TotalSeconds}s";

    private static readonly HubMessage.Error Superseded = new()
    {
        Code = "superseded",
        Hint = "another sidecar has connected with this identity; give each machine an agent id of its own",
    };

    private static readonly HubMessage.Error Shared = new()
    {
        Code = IdentityWatch.Code,
        Hint = $"another sidecar has this identity and answers; give each machine an agent id of its own, {RetryIn}",
    };

    /// <param name="webSocket">The connection.</param>
    /// <param name="place">What it counts as until it has identified.</param>
    /// <param name="aborted">Ends it.</param>
    public async Task ServeAsync(WebSocket webSocket, IDisposable place, CancellationToken aborted)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(aborted, lifetime.ApplicationStopping);
        using var socket = new FrameSocket(webSocket, SendLimit, time);
        try
        {
            if (await IdentifyAsync(socket, ending.Token) is { } connection)
            {
                place.Dispose();
                using (connection)
                {
                    await ServeAsync(socket, connection, ending);
                }
            }
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            LogSocketFailed(gone.Message);
        }
        catch (StoreUnavailableException fault)
        {
            // The sidecar keeps what was not acknowledged and says it again on its next connection.
            LogStoreUnavailable(fault.Message, fault.Hint);
            await socket.CloseAsync(WebSocketCloseStatus.InternalServerError, "store unavailable", CancellationToken.None);
        }
    }

    private async Task<AgentConnection?> IdentifyAsync(FrameSocket socket, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, options.IdentifyLimit);
        if (await socket.ReceiveFirstAsync(limited.Token) is not { } frame)
        {
            return null;
        }

        var refusal = frame.Refusal;
        SidecarMessage? message = null;
        if (refusal is null)
        {
            Frame.TryRead(frame.Bytes.Span, out message, out refusal);
        }

        if (message is not SidecarMessage.Identify identify)
        {
            await RefuseAsync(socket, refusal?.Word ?? "not_identified", "the first frame must be identify", token);
            return null;
        }

        var owner = tokens.Verify(identify.Token);
        if (owner?.Name != identify.AgentId || owner.Role != TokenStore.Agent)
        {
            var code = owner is null ? "invalid_token" : "token_agent_mismatch";
            LogIdentifyRefused(Printable.Cut(identify.AgentId, 128), code);
            await RefuseAsync(socket, code, "put the output of 'fleet-hub token create AGENT' into the sidecar's token file", token);
            return null;
        }

        var version = Math.Clamp(identify.ProtocolVersion ?? ProtocolVersions.V1, ProtocolVersions.V1, ProtocolVersions.V2);
        return new AgentConnection(socket, identify, version, await agents.NextEpochAsync(identify), time.GetUtcNow(), time.GetTimestamp());
    }

    private async Task ServeAsync(FrameSocket socket, AgentConnection connection, CancellationTokenSource ending)
    {
        // Queued before the connection is seen by the scheduler, so that nothing can stand before it.
        connection.Send(new HubMessage.Identified
        {
            AgentId = connection.AgentId, ProtocolVersion = connection.Version, Epoch = connection.Epoch,
            Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(),
        });
        switch (agents.Join(connection))
        {
            case Joined.Overtaken:
                await connection.EndAsync(Superseded, time);
                break;
            case Joined.Refused:
                LogIdentityShared(connection.AgentId, IdentityRules.Window);
                await connection.EndAsync(Shared, time, $"{IdentityWatch.Code}: {RetryIn}");
                break;
            case Joined.InPlace joined:
                await ServeInPlaceAsync(socket, connection, joined.Older, ending);
                break;
        }
    }

    private async Task ServeInPlaceAsync(
        FrameSocket socket, AgentConnection connection, AgentConnection? older, CancellationTokenSource ending)
    {
        var pump = Task.CompletedTask;
        try
        {
            if (older is not null)
            {
                LogSuperseded(connection.AgentId, older.Epoch);
                _ = older.EndAsync(Superseded, time);
            }

            LogAgentUp(connection.AgentId, connection.Client, connection.Version, connection.Epoch);
            await queue.AskForSignsAsync(connection.AgentId);
            foreach (var assign in queue.Unaccepted(connection.AgentId))
            {
                connection.Assign(assign);
            }

            agents.Changed?.Invoke();
            pump = connection.PumpAsync(ending.Token);
            await ReceiveAsync(socket, connection, ending.Token);
            if (socket.CloseReason.StartsWith(GoodbyeCode, StringComparison.Ordinal))
            {
                agents.Answered(connection);
            }
        }
        finally
        {
            var wasCurrent = agents.Leave(connection);
            LogAgentDown(connection.AgentId, connection.Epoch, wasCurrent ? "its tasks stay with it until their lease ends" : "a newer connection took its place");
            await ending.CancelAsync();
            await pump.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            if (wasCurrent)
            {
                await queue.StopAskingAsync(connection.AgentId, () => agents.Find(connection.AgentId) is null);
            }
        }
    }

    private async Task ReceiveAsync(FrameSocket socket, AgentConnection connection, CancellationToken token)
    {
        var bad = 0;
        while (await socket.ReceiveAsync(token) is { } frame)
        {
            connection.Touch(time.GetTimestamp());
            var refusal = frame.Refusal;
            SidecarMessage? message = null;
            if (refusal is null && Frame.TryRead(frame.Bytes.Span, out message, out refusal))
            {
                bad = 0;
                await handler.HandleAsync(connection, message);
                continue;
            }

            LogFrameRefused(connection.AgentId, refusal!.Word, refusal.Detail);
            connection.Send(new HubMessage.Error { Code = refusal.Word, Hint = refusal.Detail });
            if (++bad >= MostBadFrames)
            {
                await socket.CloseAsync(WebSocketCloseStatus.PolicyViolation, "too many bad frames: retry in 30s", token);
                return;
            }
        }
    }

    private static async Task RefuseAsync(FrameSocket socket, string code, string hint, CancellationToken token)
    {
        await socket.SendAsync(Frame.Write(new HubMessage.Error { Code = code, Hint = hint }), token);
        await socket.CloseAsync(WebSocketCloseStatus.PolicyViolation, code, token);
    }

    [LoggerMessage(HubEvents.AgentUp, LogLevel.Information, "{Agent} is up: {Client}, protocol version {Version}, connection {Epoch}", EventName = "AgentUp")]
    private partial void LogAgentUp(string agent, string client, int version, long epoch);

    [LoggerMessage(HubEvents.AgentDown, LogLevel.Information, "{Agent} connection {Epoch} ended; {Consequence}", EventName = "AgentDown")]
    private partial void LogAgentDown(string agent, long epoch, string consequence);

    [LoggerMessage(HubEvents.AgentSuperseded, LogLevel.Warning, "{Agent} connected anew while connection {Epoch} stood; the newest wins and the older one is told", EventName = "AgentSuperseded")]
    private partial void LogSuperseded(string agent, long epoch);

    [LoggerMessage(HubEvents.IdentityShared, LogLevel.Error,
        "two sidecars use the identity {Agent}; the last to come is refused for {Window}, the other keeps the link", EventName = "IdentityShared")]
    private partial void LogIdentityShared(string agent, TimeSpan window);

    [LoggerMessage(HubEvents.IdentifyRefused, LogLevel.Warning, "identify as {Agent} refused: {Code}", EventName = "IdentifyRefused")]
    private partial void LogIdentifyRefused(string agent, string code);

    [LoggerMessage(HubEvents.FrameRefused, LogLevel.Warning, "a frame of {Agent} was refused, {Word}: {Detail}; the link stays up", EventName = "FrameRefused")]
    private partial void LogFrameRefused(string agent, string word, string detail);

    [LoggerMessage(HubEvents.SocketFailed, LogLevel.Debug, "a socket ended: {Message}", EventName = "SocketFailed")]
    private partial void LogSocketFailed(string message);

    [LoggerMessage(HubEvents.StoreUnavailable, LogLevel.Error, "{Message}; {Hint}; closing the link, the sidecar says it again", EventName = "StoreUnavailable")]
    private partial void LogStoreUnavailable(string message, string hint);
}
