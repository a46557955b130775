using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>Has OpenClaw's gateway do one turn, and stays with it until it has ended, over broken connections and restarts of the gateway.</summary>
/// <remarks>
/// The gateway's memory of idempotency keys ends with its process, so the session's key, which is made from task and generation,
/// is looked up before anything is submitted: before the first try, because an earlier process of ours may have got that far,
/// and after every broken connection. May get wrong: two ids of tasks that differ in capital letters only share a session.
/// </remarks>
internal sealed class GatewayTurn(GatewayCall call, Action<string> print, TimeProvider time)
{
    private static readonly TimeSpan Unreachable = TimeSpan.FromSeconds(45), LostInTurn = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1), Look = TimeSpan.FromSeconds(2), Recovery = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(15), AbortLimit = TimeSpan.FromSeconds(1.5);

    private volatile GatewayLink? _link;
    private volatile bool _submitted;
    private bool _engaged;
    private long? _endedBefore;
    private long _lastSeen = time.GetTimestamp();
    private long? _backSince;

    /// <summary>To the end. The record has been printed when this returns.</summary>
    public async Task<GatewayRecord> RunAsync(CancellationToken token)
    {
        var said = "";
        while (true)
        {
            string lost;
            var isRefused = false;
            try
            {
                using var opening = CancellationTokenSource.CreateLinkedTokenSource(token);
                using (time.CancelAfter(opening, OpenLimit))
                using (var link = await GatewayLink.OpenAsync(call, asAdministrator: false, Hear, time, opening.Token))
                {
                    (_link, _backSince) = (link, time.GetTimestamp());
                    var record = await FollowAsync(link, token);
                    await link.CloseAsync(token);
                    return record;
                }
            }
            catch (GatewayException refused) when (!refused.Retryable && !_engaged)
            {
                return GatewayRecord.Failed(call.IdempotencyKey, "refused", refused.Message);
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                lost = $"no answer for {OpenLimit}";
            }
            catch (Exception fault) when (fault is GatewayException or WebSocketException or SocketException or IOException)
            {
                (lost, isRefused) = ((fault.InnerException ?? fault).Message, fault is GatewayException);
            }

            _link = null;
            if (_backSince is not null && !isRefused)
            {
                Seen(); // It was there until now, however quiet.
            }

            _backSince = null;
            var gone = time.GetElapsedTime(_lastSeen);
            if (gone > (_engaged ? LostInTurn : Unreachable))
            {
                return _engaged
                    ? GatewayRecord.Failed(call.IdempotencyKey, "lost", $"the gateway had the turn and could not be reached for {gone.TotalMinutes:F0} min afterwards; whether the turn goes on is not known: {lost}")
                    : GatewayRecord.Failed(call.IdempotencyKey, "unreachable", $"gateway not reachable at {call.Gateway} for {gone.TotalSeconds:F0} s: {lost}");
            }

            if (lost != said)
            {
                print(GatewayRecord.Note("link lost", said = lost)); // Once: a gateway may be away for minutes.
            }

            await Task.Delay(Pause, time, token);
        }
    }

    /// <summary>Asks the gateway to end the turn, which is in the gateway and not here; <see cref="RunAsync"/> then hears of its end.</summary>
    /// <returns>False where nothing was ever submitted, so that nothing has to end.</returns>
    public async Task<bool> AbortAsync()
    {
        if (!_submitted)
        {
            return false;
        }

        try
        {
            // Over the connection that submitted it: the gateway lets nobody else, short of an administrator, end a run.
            if (_link is { } link)
            {
                await link.TellAsync(id => GatewayFrames.Abort(id, call.QualifiedKey), CancellationToken.None);
            }
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            print(GatewayRecord.Note("not aborted", fault.Message));
        }

        return true;
    }

    /// <summary>The same as an administrator, over a connection of its own; for a turn that the gateway has taken up again by itself.</summary>
    public async Task AbortAnywayAsync()
    {
        using var limit = new CancellationTokenSource(AbortLimit, time);
        try
        {
            using var link = await GatewayLink.OpenAsync(call, asAdministrator: true, _ => { }, time, limit.Token);
            var answer = await link.AskAsync(id => GatewayFrames.Abort(id, call.QualifiedKey), limit.Token);
            print(GatewayRecord.Note("abort", answer.Text("payload", "status") ?? answer.Text("error", "message") ?? "no answer"));
            await link.CloseAsync(limit.Token);
        }
        catch (Exception fault) when (fault is OperationCanceledException or GatewayException or WebSocketException or SocketException or IOException)
        {
            print(GatewayRecord.Note("not aborted", (fault.InnerException ?? fault).Message));
        }
    }

    private async Task<GatewayRecord> FollowAsync(GatewayLink link, CancellationToken token)
    {
        while (true)
        {
            var session = await DescribeAsync(link, token);
            var recoveryOver = _backSince is { } since && time.GetElapsedTime(since) > Recovery;
            _endedBefore = _engaged ? _endedBefore : session?.Number("endedAt");
            var step = GatewayRules.After(session, call.IdempotencyKey, _engaged, _endedBefore, recoveryOver);
            _engaged = true;
            switch (step)
            {
                case GatewayStep.Submit:
                    return await SubmitAsync(link, token);
                case GatewayStep.EndedWell:
                    return GatewayRecord.Recovered(call.IdempotencyKey, session!.Value, await LastWordsAsync(link, token));
                case GatewayStep.EndedBadly:
                    return GatewayRecord.Failed(call.IdempotencyKey, "failed", (await LastWordsAsync(link, token)).Text("payload", "error")
                        ?? $"the session ended with the status '{session?.Text("status")}'");
                default:
                    // Ours may end under its own id; one that the gateway took up again has another and shows in the session only.
                    await WaitAsync(link, Look, token);
                    await Task.Delay(Pause, time, token);
                    break;
            }
        }
    }

    private async Task<GatewayRecord> SubmitAsync(GatewayLink link, CancellationToken token)
    {
        _submitted = true;
        var answer = await link.AskAsync(id => GatewayFrames.Agent(id, call), token);
        while (answer.Flag("ok") == true && answer.Text("payload", "status") == "accepted")
        {
            Seen();
            print(GatewayRecord.Note("accepted", answer.Text("payload", "runId") ?? call.IdempotencyKey));
            answer = await link.NextAnswerAsync(token);
        }

        return answer.Flag("ok") == true && answer.At("payload") is { } final
            ? GatewayRecord.Of(final)
            : answer.Flag("error", "retryable") == true ? throw GatewayException.From(answer)
            : GatewayRecord.Failed(call.IdempotencyKey, "failed", GatewayException.From(answer).Message);
    }

    private async Task<JsonElement?> DescribeAsync(GatewayLink link, CancellationToken token)
    {
        var answer = await link.AskAsync(id => GatewayFrames.Describe(id, call.QualifiedKey), token);
        if (answer.Flag("ok") != true)
        {
            throw GatewayException.From(answer);
        }

        Seen();
        return answer.At("payload", "session") is { ValueKind: JsonValueKind.Object } row ? row : null;
    }

    private Task<JsonElement> WaitAsync(GatewayLink link, TimeSpan limit, CancellationToken token) =>
        link.AskAsync(id => GatewayFrames.Wait(id, call.IdempotencyKey, limit), token);

    // A reply that is too large for us costs its words, not the turn.
    private async Task<JsonElement> LastWordsAsync(GatewayLink link, CancellationToken token)
    {
        try
        {
            return await WaitAsync(link, TimeSpan.Zero, token);
        }
        catch (AnswerTooLargeException large)
        {
            print(GatewayRecord.Note("the reply is left out", large.Message));
            return default;
        }
    }

    // Signs of life for whoever watches our output; words of the model are not among them.
    private void Hear(JsonElement frame)
    {
        if (frame.Text("event") == "agent" && frame.Text("payload", "runId") == call.IdempotencyKey && frame.Text("payload", "stream") is "lifecycle" or "tool")
        {
            Seen();
            print(GatewayRecord.Note(frame.Text("payload", "stream")!, frame.Text("payload", "data", "phase") ?? frame.Text("payload", "data", "name") ?? ""));
        }
    }

    private void Seen() => _lastSeen = time.GetTimestamp();
}
