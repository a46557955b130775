using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Outbox;

/// <summary>Sends what the outbox holds over one connection, in order, and tells the run loop what the hub has heard.</summary>
/// <remarks>
/// Version 2: everything at once; the hub acknowledges by message id, and an acknowledgement covers the earlier messages of the
/// same run. Version 1: one at a time, because AgentCom's error answers name no task and can only be told apart by order. A
/// message that is not acknowledged in time ends the connection; the next one replays it, and the hub knows it by its id. What is
/// not stored (a repeated acceptance, a refusal) takes its turn in the same order in version 1, so that no answer is taken for
/// that of another message.
/// </remarks>
internal sealed class OutboxPump(FrameSocket connection, int version, OutboxQueue outbox, RunLoop runs, TimeProvider time)
{
    private const int Remembered = 256;
    private static readonly TimeSpan AckLimit = TimeSpan.FromSeconds(30);

    // As long as the longest pause between two attempts to connect. A hub that needs more says so again.
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan ProgressPause = TimeSpan.FromMinutes(1);

    // A repeated acceptance only refreshes what the hub believes; without an answer the connection goes on.
    private static readonly TimeSpan AgainLimit = TimeSpan.FromSeconds(5);

    // When full, a refusal is dropped: the hub's accept deadline takes the task back.
    private const int MaxRefusals = 256;

    private readonly Channel<OutboxMessage> _unstored = Channel.CreateBounded<OutboxMessage>(
        new BoundedChannelOptions(MaxRefusals) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<string, long> _sent = [];
    private readonly ConcurrentDictionary<string, long> _progressed = new();
    private OutboxMessage? _inFlight;
    private TaskCompletionSource<TimeSpan?>? _answered;
    private Task<bool>? _refusalWait;

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
                    await (version == ProtocolVersions.V1 ? SendV1Async(message, AckLimit, token) : connection.SendAsync(Encoding.UTF8.GetBytes(message.Payload), token));
                    Sent(message);
                }
            }

            while (_unstored.Reader.TryRead(out var message))
            {
                await SendV1Async(message, AgainLimit, token);
            }

            await WaitForChangeAsync(changed, token);
        }
    }

    /// <summary>Version 1: accepts a run again after a reconnect. AgentCom reclaims a running task after 60 s without it, and takes no
    /// outcome of an agent that has not accepted on this connection.</summary>
    public async Task AcceptAgainAsync(Run run, CancellationToken token)
    {
        var waiting = outbox.Snapshot().Where(message => message.RunId == run.Id).ToList();
        if (waiting.Exists(message => message.Kind == "task_accepted") || (run.State.IsFinal() && !waiting.Exists(message => message.IsFinal)))
        {
            return; // The stored acceptance is replayed anyway; an outcome that was heard needs none.
        }

        await SendV1Async(Unstored("task_accepted", run.TaskId, RunMessages.Accepted(run)), AgainLimit, token);
    }

    private static void Sent(OutboxMessage message)
    {
        if (message.Kind == "task_accepted")
        {
            CrashPoints.At(CrashPointName.Accepted);
        }
        else if (message.IsFinal)
        {
            CrashPoints.At(CrashPointName.Reported);
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

    /// <summary>Sends a rejection: not stored, because nothing was begun. Version 1 has no word for it but failure, and AgentCom
    /// believes a failure only of an agent that has accepted.</summary>
    public Task RejectAsync(SidecarMessage.TaskRejected rejected, CancellationToken token)
    {
        if (version >= ProtocolVersions.V2)
        {
            return SendOnceAsync(rejected, token);
        }

        var accepted = new SidecarMessage.TaskAccepted { TaskId = rejected.TaskId, Generation = rejected.Generation };
        _unstored.Writer.TryWrite(Unstored("task_accepted", rejected.TaskId, accepted));
        _unstored.Writer.TryWrite(Unstored("task_failed", rejected.TaskId, V1Dialect.Translate(rejected)!));
        return Task.CompletedTask;
    }

    // Without an id: its answer is awaited, and there is no row that it would remove.
    private static OutboxMessage Unstored(string kind, string taskId, SidecarMessage message) =>
        new("", "", taskId, kind, Encoding.UTF8.GetString(Frame.Write(message)), 0);

    /// <summary>True where the hub's message was an answer to one of ours.</summary>
    public async Task<bool> HearAsync(HubMessage message, CancellationToken token)
    {
        switch (message)
        {
            case HubMessage.TaskAck { MessageId: { } messageId } ack when version >= ProtocolVersions.V2:
                if (Waiting(messageId) is { } sent && !(sent.TaskId == ack.TaskId && HubAnswers.Acknowledges(ack.Status, sent.Kind)))
                {
                    return false; // The id of one message with the words of another's answer: the hub may not have it.
                }

                await runs.PostAsync(new RunInput.Acknowledged(messageId, ack.Status), token);
                return true;
            case HubMessage.TaskAck ack when _inFlight is { } waiting && waiting.TaskId == ack.TaskId && HubAnswers.Acknowledges(ack.Status, waiting.Kind):
                await AnswerAsync(new RunInput.Acknowledged(waiting.MessageId, ack.Status), token);
                return true;
            case HubMessage.TaskAck:
                return true; // For a message said again after a reconnect.
            case HubMessage.Error { MessageId: { } messageId } error when version >= ProtocolVersions.V2:
                if (!HubAnswers.IsOver(error.Code) || (error.TaskId is { } task && Waiting(messageId) is { } refused && refused.TaskId != task))
                {
                    return false; // It says nothing of the attempt: the message stays, and is said again.
                }

                await runs.PostAsync(new RunInput.Refused(messageId, error.Code), token);
                return true;
            case HubMessage.Error error when _inFlight is { } waiting && HubAnswers.IsOver(error.Code) && V1Dialect.Refuses(error.Code, waiting.Kind):
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

    private OutboxMessage? Waiting(string messageId) => outbox.Snapshot().FirstOrDefault(message => message.MessageId == messageId);

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
                // One wait for all rounds: a new one each time would pile up in the channel for the life of the connection.
                _refusalWait = _refusalWait is { IsCompleted: false } ? _refusalWait : _unstored.Reader.WaitToReadAsync(token).AsTask();
                await Task.WhenAny(changed, _refusalWait)
                    .WaitAsync(HasUnheardOutcome ? AckLimit : Timeout.InfiniteTimeSpan, time, token);
                token.ThrowIfCancellationRequested();
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

    private async Task SendV1Async(OutboxMessage message, TimeSpan limit, CancellationToken token)
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

            if (await WaitForAnswerAsync(limit, token) is not { } pause)
            {
                return;
            }

            await Task.Delay(pause, time, token);
        }

        _inFlight = message; // Also where the message has no form in version 1.
        await AnswerAsync(new RunInput.Acknowledged(message.MessageId), token);
    }

    // Null: answered, or not answered in time. One message without an answer must not hold back those of other runs, so the next
    // one is sent; what is stored stays, and an outcome that is still unheard ends the connection once all were sent.
    // A pause: the hub's rate limit, then once again.
    private async Task<TimeSpan?> WaitForAnswerAsync(TimeSpan limit, CancellationToken token)
    {
        try
        {
            return await _answered!.Task.WaitAsync(limit, time, token);
        }
        catch (TimeoutException)
        {
            _inFlight = null;
            return null;
        }
    }

    private async Task AnswerAsync(RunInput input, CancellationToken token)
    {
        var isStored = _inFlight?.MessageId.Length > 0;
        _inFlight = null;
        if (isStored)
        {
            await runs.PostAsync(input, token);
        }

        _answered?.TrySetResult(null);
    }

    // A message said again under the same id after a duplicate assignment has a new time and is sent again.
    private static string Key(OutboxMessage message) => $"{message.MessageId}@{message.CreatedAtUnixMs}";
}
