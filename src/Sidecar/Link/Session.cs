using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using FleetSidecar.Configuration;
using FleetSidecar.Outbox;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
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

    private readonly OutboxPump _pump = new(connection, version, outbox, runs, time);
    private readonly StateReports _reports = new(connection, version, inbox, time);
    private TimeSpan _calm;
    private TaskCompletionSource _pong = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Hears the hub's clock, unix milliseconds, with each answer that gives it.</summary>
    public Action<long>? HubClock { get; init; }

    public async Task<LinkEnd> RunAsync(CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var token = ending.Token;
        runs.Rejected = rejected => _ = _pump.RejectAsync(rejected, token);
        runs.Reported = run => _ = _reports.SendAsync(run, token);
        runs.Progressed = progress => _ = _pump.ProgressAsync(progress, token);
        var receive = GuardAsync(() => ReceiveAsync(token));
        Task<LinkEnd>[] loops = [receive, GuardAsync(() => ResumeThenPumpAsync(token)), GuardAsync(() => BeatAsync(token))];
        var first = await Task.WhenAny(loops);
        if (stopping.IsCancellationRequested)
        {
            await connection.CloseAsync(WebSocketCloseStatus.NormalClosure, "stopping", CancellationToken.None);
        }

        await ending.CancelAsync();
        connection.Abort();
        var end = await first;
        await Task.WhenAll(loops);
        await _reports.EndAsync();
        return end;
    }

    // Nothing that a hub can send may end the daemon: a fault of ours costs this connection, and the link is dialled again.
    [SuppressMessage("Design", "CA1031", Justification = "A fault in one connection must not end the daemon and with it every other loop.")]
    private async Task<LinkEnd> GuardAsync(Func<Task<LinkEnd>> loop)
    {
        try
        {
            return await loop();
        }
        catch (Exception fault)
        {
            inbox.Broke(fault);
            return new LinkEnd.Lost($"the connection broke on our side: {Printable.Cut(fault.Message, 300)}");
        }
    }

    private async Task<LinkEnd> ReceiveAsync(CancellationToken token)
    {
        try
        {
            while (await connection.ReceiveAsync(token) is { } frame)
            {
                FaultPoints.At(FaultPoint.Receive);
                if (await AcceptAsync(frame, token) is not { } message)
                {
                    continue;
                }

                if (message is HubMessage.Pong pong)
                {
                    _pong.TrySetResult();
                    if (pong.Timestamp is { } now)
                    {
                        HubClock?.Invoke(now);
                    }
                }
                else if (message is HubMessage.Error { Code: "superseded" } error)
                {
                    return new LinkEnd.Refused($"another connection with this identity is newer: {error.Hint}", Superseded: true);
                }
                else if (message is HubMessage.StateReportAck { Action: "abort" } abort)
                {
                    await _reports.HearAbortAsync(abort, token);
                }
                else if (!await _pump.HearAsync(message, token))
                {
                    await inbox.TakeAsync(message, version, token);
                }
            }

            return new LinkEnd.Lost($"closed by the hub: {connection.CloseReason}", Dialer.RetryIn(connection.CloseReason));
        }
        catch (Exception fault) when (IsLoss(fault, token))
        {
            return Loss(fault);
        }
    }

    private async Task<HubMessage?> AcceptAsync(ReceivedFrame frame, CancellationToken token)
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
        // A run in progress is not given up because the hub repeats its task in a form that cannot be read.
        if (refusal.Assignment is { } unread && !runs.Snapshot.Any(run => run.TaskId == unread.TaskId))
        {
            await _pump.RejectAsync(new SidecarMessage.TaskRejected
            {
                TaskId = unread.TaskId, Generation = unread.Generation, Reason = "invalid", Detail = refusal.Detail,
            }, token);
        }

        return null;
    }

    private async Task<LinkEnd> ResumeThenPumpAsync(CancellationToken token)
    {
        try
        {
            foreach (var run in runs.Snapshot)
            {
                if (version == ProtocolVersions.V1)
                {
                    await _pump.AcceptAgainAsync(run, token);
                }

                // The snapshot may be older than what the hub has sent since: the report is about the run as it is now.
                if (runs.Snapshot.FirstOrDefault(open => open.Id == run.Id) is { } current && !current.State.IsFinal())
                {
                    await _reports.SendAsync(current, token);
                }
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

    private static LinkEnd.Lost Loss(Exception fault) => new(Cause(fault));

    /// <summary>Why a connection failed, down to the cause that the framework only points at.</summary>
    internal static string Cause(Exception fault)
    {
        const string elsewhere = ", see inner exception.";
        var near = fault.InnerException ?? fault;
        return near.Message.EndsWith(elsewhere, StringComparison.Ordinal) ? $"{near.Message[..^elsewhere.Length]}: {near.GetBaseException().Message}" : near.Message;
    }
}
