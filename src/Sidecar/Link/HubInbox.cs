using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Link;

/// <summary>Hands what the hub says to whoever it is for. Whatever is not understood is logged once a kind and ignored; the link stays up.</summary>
internal sealed partial class HubInbox(RunLoop runs, IntakeControl intake, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<HubInbox> log)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1), LongestDrain = TimeSpan.FromDays(30);
    private readonly Dictionary<string, long> _lastLogged = [];

    /// <summary>Frames refused since the start, for status.</summary>
    public long RefusedFrames { get; private set; }

    /// <param name="message">What the hub says.</param>
    /// <param name="version">The version that the connection speaks.</param>
    /// <param name="token">Ends with the connection.</param>
    public async Task TakeAsync(HubMessage message, int version, CancellationToken token)
    {
        switch (message)
        {
            case HubMessage.TaskAssign assign:
                CrashPoints.At(CrashPointName.Received);
                await runs.PostAsync(new RunInput.Assigned(assign, time.GetUtcNow().ToUnixTimeMilliseconds(), version >= ProtocolVersions.V2), token);
                break;
            case HubMessage.TaskCancelled cancelled:
                await runs.PostAsync(new RunInput.Cancelled(cancelled.TaskId, cancelled.Generation, cancelled.Reason ?? "cancelled by the hub"), token);
                break;
            case HubMessage.StateReportAck { Action: "abort" } ack:
                await runs.PostAsync(new RunInput.TakenAway(ack.TaskId, "the hub answered abort", ack.Generation), token);
                break;
            case HubMessage.TaskReassign reassign:
                await runs.PostAsync(new RunInput.TakenAway(reassign.TaskId, "the hub gave the task to somebody else"), token);
                break;
            case HubMessage.StateReportAck { Generation: { } generation } ack:
                await runs.PostAsync(new RunInput.Continued(ack.TaskId, generation), token);
                break;
            case HubMessage.TaskContinue { Generation: { } generation } go:
                await runs.PostAsync(new RunInput.Continued(go.TaskId, generation), token);
                break;
            case HubMessage.RestartSidecar restart:
                LogRestartAsked(restart.Reason ?? "no reason given");
                lifetime.StopApplication();
                break;
            case HubMessage.Error error:
                LogHubError(Printable.Cut(error.Code, 200), error.Hint);
                break;
            case HubMessage.RateLimited limited:
                LogRateLimited(limited.Tier, limited.RetryAfterMs);
                break;
            case HubMessage.Drain drain:
                // Not waited for: what the store cannot take now must not hold the link up.
                _ = intake.DrainAsync(Limit(drain.DeadlineSeconds), Printable.Cut(drain.Reason ?? "the hub drains this machine", 500), token);
                break;
            case HubMessage.Resume:
                _ = intake.ResumeAsync(token);
                break;
            case HubMessage.LogRequest:
                LogIgnored(message.GetType().Name);
                break;
        }
    }

    private static TimeSpan? Limit(long? seconds) => seconds is { } given ? TimeSpan.FromSeconds(Math.Clamp(given, 0, (long)LongestDrain.TotalSeconds)) : null;

    /// <summary>Says that a connection broke on our side.</summary>
    public void Broke(Exception fault) => LogLinkBroke(fault);

    public void Refuse(Refusal refusal)
    {
        RefusedFrames++;

        // A hub that broadcasts a kind we do not know would otherwise fill the journal.
        var key = refusal.Code == RefusalCode.UnknownType ? refusal.Detail : refusal.Word;
        var last = _lastLogged.GetValueOrDefault(key, -1);
        if (last < 0 || time.GetElapsedTime(last) > Quiet)
        {
            if (_lastLogged.Count > 100)
            {
                _lastLogged.Clear();
            }

            _lastLogged[key] = time.GetTimestamp();
            LogFrameRefused(refusal.Word, refusal.Detail, RefusedFrames);
        }
    }

    [LoggerMessage(EventIds.LinkBroke, LogLevel.Error, "the connection broke on our side; dialling again, agents keep working", EventName = "LinkBroke")]
    private partial void LogLinkBroke(Exception fault);

    [LoggerMessage(EventIds.FrameRefused, LogLevel.Warning, "a frame of the hub was refused, {Word}: {Detail}; the link stays up ({Count} so far)", EventName = "FrameRefused")]
    private partial void LogFrameRefused(string word, string detail, long count);

    [LoggerMessage(EventIds.HubError, LogLevel.Warning, "the hub answered with an error: {Code} {Hint}", EventName = "HubError")]
    private partial void LogHubError(string code, string? hint);

    [LoggerMessage(EventIds.RateLimited, LogLevel.Warning, "the hub limits our rate, tier {Tier}, and asks for {RetryAfterMs} ms; version 1 waits for a minute at most, version 2 goes on", EventName = "RateLimited")]
    private partial void LogRateLimited(string? tier, long? retryAfterMs);

    [LoggerMessage(EventIds.RestartAsked, LogLevel.Information, "the hub asks for a restart: {Reason}; ending with exit code 0, agents keep working", EventName = "RestartAsked")]
    private partial void LogRestartAsked(string reason);

    [LoggerMessage(EventIds.HubMessageIgnored, LogLevel.Warning, "the hub sent {Kind}, which this version does not act on; ignoring it", EventName = "HubMessageIgnored")]
    private partial void LogIgnored(string kind);
}
