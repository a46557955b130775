using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.Outbox;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Link;

/// <summary>Keeps one connection to the hub, for ever: dial, identify, serve, wait, dial again. Nothing on the network ever ends the process.</summary>
internal sealed partial class LinkLoop(
    Dialer dialer, SidecarConfig config, RunLoop runs, OutboxQueue outbox, HeartbeatSource heartbeats, HubInbox inbox, Notifier notifier,
    StoreHealth health, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<LinkLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const long LatestClock = 253_402_300_799_000; // The last second of the year 9999, in milliseconds.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(30);

    private volatile LinkView _view = new(LinkState.Down, "not dialled yet", 0, time.GetUtcNow(), 0);

    // Two that share an identity would otherwise take the link from each other for ever at the same pace.
    private int _superseded;

    public LinkView View => _view;

    /// <summary>What a version 1 hub, which knows no incidents, is told of a damaged store.</summary>
    public static string StatusWord(string? damagedFile) => damagedFile is null ? "idle" : "store_damaged";

    protected override async Task RunAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (true)
        {
            Show(LinkState.Dialing, $"dialling {config.Hub.Url}", 0, failures);
            Pulse.Beat(config.Hub.ConnectTimeout + Slack);
            var result = await dialer.DialAsync(StatusWord(health.DamagedFile), stopping);
            while (dialer.Notes.TryDequeue(out var note))
            {
                LogCertificateStoreRepaired(note);
            }

            var end = result.End;
            if (result is { Connection: { } connection, Identified: { } identified })
            {
                var upSince = time.GetTimestamp();
                end = await ServeAsync(connection, identified, stopping);
                failures = time.GetElapsedTime(upSince) >= config.Hub.StableAfter ? 0 : failures;
            }

            stopping.ThrowIfCancellationRequested();
            await WaitAsync(end!, failures++, stopping);
        }
    }

    private async Task<LinkEnd> ServeAsync(FrameSocket connection, HubMessage.Identified identified, CancellationToken stopping)
    {
        using (connection)
        {
            var version = Math.Min(identified.ProtocolVersion ?? ProtocolVersions.V1, config.Hub.ProtocolVersion);
            Show(LinkState.Up, $"identified as {config.Agent.Id}", version, 0, identified.Timestamp is { } hub ? SkewTo(hub) : null);
            LogLinkUp(config.Hub.Url, config.Agent.Id, version);
            return await new Session(connection, version, config, runs, outbox, heartbeats, inbox, Pulse, time)
            {
                // Either clock may be set while the link is up: a machine that starts before its time service does has a wrong one at first.
                HubClock = identified.Timestamp is null ? null : now => _view = _view with { ClockSkew = SkewTo(now) },
            }.RunAsync(stopping);
        }
    }

    private TimeSpan SkewTo(long hub) => time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(hub, 0, LatestClock));

    private async Task WaitAsync(LinkEnd end, int failures, CancellationToken stopping)
    {
        switch (end)
        {
            case LinkEnd.Refused refused:
                Show(LinkState.Refused, refused.Reason, 0, failures + 1);
                _superseded = refused.Superseded ? _superseded + 1 : 0;
                var pause = Redial.AfterRefusal(config.Hub.RefusedInterval, _superseded, refused.RetryAfter);
                LogLinkRefused(Printable.Cut(refused.Reason, 500), pause);
                Pulse.Beat(pause + Slack);
                await Task.Delay(pause, time, stopping);
                break;
            case LinkEnd.Redirected redirected:
                Show(LinkState.Redirected, redirected.Reason, 0, failures + 1);
                LogLinkRedirected(Printable.Cut(redirected.Reason, 500), config.Hub.RefusedInterval);
                Pulse.Beat(config.Hub.RefusedInterval + Slack);
                await Task.Delay(config.Hub.RefusedInterval, time, stopping);
                break;
            case LinkEnd.Lost lost:
                var delay = Redial.Delay(failures, Random.Shared.NextDouble(), lost.RetryAfter);
                Show(LinkState.Down, lost.Reason, 0, failures + 1);
                LogLinkDown(Printable.Cut(lost.Reason, 500), delay);
                Pulse.Beat(delay + Slack);
                await Task.Delay(delay, time, stopping);
                break;
        }
    }

    private void Show(LinkState state, string detail, int version, int attempts, TimeSpan? clockSkew = null)
    {
        _view = new LinkView(state, detail, version, time.GetUtcNow(), attempts, clockSkew ?? _view.ClockSkew);
        notifier.Status($"hub {state}: {detail}");
    }

    [LoggerMessage(EventIds.LinkUp, LogLevel.Information, "link to {Url} is up as {Agent}, protocol version {Version}", EventName = "LinkUp")]
    private partial void LogLinkUp(string url, string agent, int version);

    [LoggerMessage(EventIds.CertificateStoreRepaired, LogLevel.Warning, "in the way of the hub's certificate: {What}", EventName = "CertificateStoreRepaired")]
    private partial void LogCertificateStoreRepaired(string what);

    [LoggerMessage(EventIds.LinkDown, LogLevel.Warning, "link is down: {Reason}; dialling again in {Delay}, agents keep working", EventName = "LinkDown")]
    private partial void LogLinkDown(string reason, TimeSpan delay);

    [LoggerMessage(EventIds.LinkRefused, LogLevel.Error, "cannot be this agent at the hub: {Reason}; reading the token file again and trying in {Delay}", EventName = "LinkRefused")]
    private partial void LogLinkRefused(string reason, TimeSpan delay);

    [LoggerMessage(EventIds.LinkRedirected, LogLevel.Error, "{Reason}; the token was not sent, trying again in {Delay}", EventName = "LinkRedirected")]
    private partial void LogLinkRedirected(string reason, TimeSpan delay);
}
