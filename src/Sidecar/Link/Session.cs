using System.Net.WebSockets;
using FleetSidecar.Configuration;
using FleetSidecar.Outbox;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Link;

/// <summary>One identified connection: resume, then receive, heartbeat and pump side by side until one of them ends.</summary>
internal sealed class Session(
    FrameSocket connection, int version, SidecarConfig config, RunLoop runs, OutboxQueue outbox, HeartbeatSource heartbeats, HubInbox inbox, Pulse pulse, TimeProvider time)
{
    // AgentCom drops an agent that was silent for 60 s and asks for a ping every 30 s.
    private static readonly TimeSpan V1Interval = TimeSpan.FromSeconds(25);

    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(30), Calm = TimeSpan.FromSeconds(1);

    private TimeSpan _calm;
    private readonly OutboxPump _pump = new(connection, version, outbox, runs, time);
    private TaskCompletionSource _pong = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task<LinkEnd> RunAsync(CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var token = ending.Token;
        runs.Rejected = rejected => _ = _pump.RejectAsync(rejected, token);
        runs.Progressed = progress => _ = _pump.ProgressAsync(progress, token);
        var receive = ReceiveAsync(token);
        Task<LinkEnd>[] loops = [receive, ResumeThenPumpAsync(token), BeatAsync(token)];
        var first = await Task.WhenAny(loops);
        if (stopping.IsCancellationRequested)
        {
            await connection.CloseAsync(WebSocketCloseStatus.NormalClosure, "stopping", CancellationToken.None);
        }

        await ending.CancelAsync();
        var end = await first;
        await Task.WhenAll(loops);
        return end;
    }

    private async Task<LinkEnd> ReceiveAsync(CancellationToken token)
    {
        try
        {
            while (await connection.ReceiveAsync(token) is { } frame)
            {
                if (Accept(frame) is not { } message)
                {
                    continue;
                }

                if (message is HubMessage.Pong)
                {
                    _pong.TrySetResult();
                }
                else if (message is HubMessage.Error { Code: "superseded" } error)
                {
                    return new LinkEnd.Refused($"another connection with this identity is newer: {error.Hint}", Superseded: true);
                }
                else if (!await _pump.HearAsync(message, token))
                {
                    await inbox.TakeAsync(message, token);
                }
            }

            return new LinkEnd.Lost($"closed by the hub: {connection.CloseReason}", Dialer.RetryIn(connection.CloseReason));
        }
        catch (Exception fault) when (IsLoss(fault, token))
        {
            return Loss(fault);
        }
    }

    private HubMessage? Accept(ReceivedFrame frame)
    {
        if (frame.Refusal is { } tooLarge)
        {
            inbox.Refuse(tooLarge);
            return null;
        }

        if (Frame.TryRead(frame.Bytes.Span, out HubMessage? message, out var refusal))
        {
            return message;
        }

        inbox.Refuse(refusal);
        return null;
    }

    private async Task<LinkEnd> ResumeThenPumpAsync(CancellationToken token)
    {
        try
        {
            foreach (var run in runs.Snapshot.Where(run => !run.State.IsFinal()))
            {
                if (version == ProtocolVersions.V1)
                {
                    // AgentCom reclaims a task 60 s after a reconnect unless it is accepted anew; version 2 replays the stored one.
                    await connection.SendAsync(Frame.Write(RunMessages.Accepted(run)), token);
                }

                await connection.SendAsync(
                    Frame.Write(new SidecarMessage.StateReport { TaskId = run.TaskId, Status = run.State.Word(), Generation = run.Generation }), token);
            }

            await _pump.RunAsync(token);
            return new LinkEnd.Lost("stopping");
        }
        catch (Exception fault) when (IsLoss(fault, token))
        {
            return Loss(fault);
        }
    }

    private async Task<LinkEnd> BeatAsync(CancellationToken token)
    {
        try
        {
            var interval = Redial.Spread(config.Hub.HeartbeatInterval, config.Agent.Id);
            interval = version == ProtocolVersions.V1 && interval > V1Interval ? V1Interval : interval;
            while (true)
            {
                pulse.Beat(interval + config.Hub.PongTimeout + Slack);
                var changed = heartbeats.Changed;
                _pong = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                SidecarMessage beat = version == ProtocolVersions.V1
                    ? new SidecarMessage.Ping { Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds() }
                    : heartbeats.Now();
                await connection.SendAsync(Frame.Write(beat), token);
                await _pong.Task.WaitAsync(config.Hub.PongTimeout, time, token);
                await WaitAsync(changed, interval, token);
            }
        }
        catch (TimeoutException)
        {
            return new LinkEnd.Lost($"no pong within {config.Hub.PongTimeout}");
        }
        catch (Exception fault) when (IsLoss(fault, token))
        {
            return Loss(fault);
        }
    }

    // What the hub may send us has changed: it hears that now, not in half a minute, but never more than once a second.
    private async Task WaitAsync(Task changed, TimeSpan interval, CancellationToken token)
    {
        var pause = Task.Delay(interval, time, token);
        if (version >= ProtocolVersions.V2 && await Task.WhenAny(pause, changed) == changed)
        {
            await Task.WhenAny(pause, Task.Delay(_calm, time, token));
            _calm = Calm;
        }
        else
        {
            await pause;
            _calm = TimeSpan.Zero;
        }

        token.ThrowIfCancellationRequested();
    }

    private static bool IsLoss(Exception fault, CancellationToken token) =>
        fault is WebSocketException or ObjectDisposedException || (fault is OperationCanceledException && token.IsCancellationRequested);

    private static LinkEnd.Lost Loss(Exception fault) => new((fault.InnerException ?? fault).Message);
}
