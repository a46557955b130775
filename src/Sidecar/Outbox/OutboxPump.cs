using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Outbox;

/// <summary>Sends what the outbox holds over one connection, in order, and tells the run loop what the hub has heard.</summary>
/// <remarks>
/// Version 2: everything at once; the hub acknowledges by message id, and an acknowledgement covers the earlier messages of the
/// same run. Version 1: one at a time, because AgentCom's error answers name no task and can only be told apart by order. A
/// message that is not acknowledged in time ends the connection; the next one replays it, and the hub knows it by its id.
/// </remarks>
internal sealed class OutboxPump(FrameSocket connection, int version, OutboxQueue outbox, RunLoop runs, TimeProvider time)
{
    private const int Remembered = 256;
    private static readonly TimeSpan AckLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan ProgressPause = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, long> _sent = [];
    private readonly ConcurrentDictionary<string, long> _progressed = new();
    private OutboxMessage? _inFlight;
    private TaskCompletionSource<TimeSpan?>? _answered;

    public async Task RunAsync(CancellationToken token)
    {
        while (true)
        {
            var changed = outbox.Changed;
            var waiting = outbox.Snapshot();
            Forget(waiting);
            foreach (var message in waiting)
            {
                if (_sent.TryAdd(Key(message), time.GetTimestamp()))
                {
                    await (version == ProtocolVersions.V1 ? SendV1Async(message, token) : connection.SendAsync(Encoding.UTF8.GetBytes(message.Payload), token));
                    CrashPoints.At(message.Kind == "task_accepted" ? "accepted" : message.IsFinal ? "reported" : "");
                }
            }

            await WaitForChangeAsync(changed, token);
        }
    }

    // A connection may last for months; what the hub has acknowledged need not be remembered for it.
    private void Forget(IReadOnlyCollection<OutboxMessage> waiting)
    {
        if (_sent.Count > Remembered + waiting.Count)
        {
            var known = waiting.Select(Key).ToHashSet();
            foreach (var key in _sent.Keys.Where(key => !known.Contains(key)).ToList())
            {
                _sent.Remove(key);
            }
        }
    }

    /// <summary>Tells the hub that a run moves; at most once a minute for each, dropped where nothing can be sent.</summary>
    public async Task ProgressAsync(SidecarMessage.TaskProgress progress, CancellationToken token)
    {
        if (_progressed.TryGetValue(progress.TaskId, out var last) && time.GetElapsedTime(last) < ProgressPause)
        {
            return;
        }

        foreach (var (task, _) in _progressed.Count > Remembered ? _progressed.Where(one => time.GetElapsedTime(one.Value) >= ProgressPause) : [])
        {
            _progressed.TryRemove(task, out long _);
        }

        _progressed[progress.TaskId] = time.GetTimestamp();
        await SendOnceAsync(progress, token);
    }

    /// <summary>Sends a rejection: not stored, because nothing was begun. Version 1 has no word for it but failure.</summary>
    public Task RejectAsync(SidecarMessage.TaskRejected rejected, CancellationToken token) =>
        SendOnceAsync(version == ProtocolVersions.V1 ? V1Dialect.Translate(rejected)! : rejected, token);

    /// <summary>True where the hub's message was an answer to one of ours.</summary>
    public async Task<bool> HearAsync(HubMessage message, CancellationToken token)
    {
        switch (message)
        {
            case HubMessage.TaskAck { MessageId: { } messageId }:
                await runs.PostAsync(new RunInput.Acknowledged(messageId), token);
                return true;
            case HubMessage.TaskAck ack when _inFlight is { } waiting && waiting.TaskId == ack.TaskId && V1Dialect.Answers(ack.Status, waiting.Kind):
                await AnswerAsync(new RunInput.Acknowledged(waiting.MessageId), token);
                return true;
            case HubMessage.TaskAck:
                return true; // For a message said again after a reconnect.
            case HubMessage.Error { MessageId: { } messageId } error:
                await runs.PostAsync(new RunInput.Refused(messageId, error.Code), token);
                return true;
            case HubMessage.Error error when _inFlight is { } waiting && V1Dialect.Refuses(error.Code, waiting.Kind):
                await AnswerAsync(new RunInput.Refused(waiting.MessageId, error.Code), token);
                return true;
            case HubMessage.RateLimited limited when _inFlight is not null:
                var pause = TimeSpan.FromMilliseconds(Math.Clamp(limited.RetryAfterMs ?? 1000, 0, (long)LongestPause.TotalMilliseconds));
                _answered?.TrySetResult(pause);
                return false;
            default:
                return false;
        }
    }

    // Neither is stored: what is lost here is made good by the hub's deadlines.
    private async Task SendOnceAsync(SidecarMessage message, CancellationToken token)
    {
        try
        {
            await connection.SendAsync(Frame.Write(message), token);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    private async Task WaitForChangeAsync(Task changed, CancellationToken token)
    {
        while (true)
        {
            try
            {
                await changed.WaitAsync(HasUnheardOutcome ? AckLimit : Timeout.InfiniteTimeSpan, time, token);
                return;
            }
            catch (TimeoutException)
            {
                if (outbox.Snapshot().Any(message => message.IsFinal && _sent.TryGetValue(Key(message), out var at) && time.GetElapsedTime(at) >= AckLimit))
                {
                    throw new WebSocketException($"the hub did not acknowledge an outcome within {AckLimit}");
                }
            }
        }
    }

    private bool HasUnheardOutcome => outbox.Snapshot().Any(message => message.IsFinal);

    private async Task SendV1Async(OutboxMessage message, CancellationToken token)
    {
        var payload = V1Dialect.Translate(message);
        while (payload is not null)
        {
            _answered = new TaskCompletionSource<TimeSpan?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _inFlight = message;
            await connection.SendAsync(payload, token);
            if (message.Kind == "wake_result")
            {
                break; // Version 1 does not answer these.
            }

            if (await WaitForAnswerAsync(token) is not { } pause)
            {
                return;
            }

            await Task.Delay(pause, time, token);
        }

        await AnswerAsync(new RunInput.Acknowledged(message.MessageId), token);
    }

    private async Task<TimeSpan?> WaitForAnswerAsync(CancellationToken token)
    {
        try
        {
            return await _answered!.Task.WaitAsync(AckLimit, time, token);
        }
        catch (TimeoutException)
        {
            throw new WebSocketException($"the hub did not answer a message within {AckLimit}");
        }
    }

    private async Task AnswerAsync(RunInput input, CancellationToken token)
    {
        _inFlight = null;
        await runs.PostAsync(input, token);
        _answered?.TrySetResult(null);
    }

    // A message said again under the same id after a duplicate assignment has a new time and is sent again.
    private static string Key(OutboxMessage message) => $"{message.MessageId}@{message.CreatedAtUnixMs}";
}
