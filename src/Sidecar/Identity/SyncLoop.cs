using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Identity;

/// <summary>Syncs by the clock where that is asked for, and says in the log and to the hub what any sync did, that of the command line too.</summary>
internal sealed partial class SyncLoop(
    SidecarConfig config, IdentitySync sync, IdentityCheck check, RunStore store, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<SyncLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5), Longest = TimeSpan.FromMinutes(30), StartLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LookAtIdentity = TimeSpan.FromSeconds(30);
    private string? _said;
    private string? _foreign;
    private long? _looked;

    private string ReportedFile => Path.Combine(sync.Paths.Home, "reported");

    /// <summary>Finishes what a crash left, before any agent can be started. A fault is said and left to the loop: the self-test keeps work away meanwhile.</summary>
    public async Task RecoverAsync()
    {
        if (config.Identity.Tree.Length > 0 && sync.Journal.Exists)
        {
            using var limit = new CancellationTokenSource();
            using var alarm = time.CancelAfter(limit, StartLimit);
            await GuardAsync(() => sync.RecoverAsync(limit.Token));
        }
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        if (config.Identity.Tree.Length == 0)
        {
            Pulse.Beat(TimeSpan.FromDays(3650)); // Nothing to do, for as long as this configuration is in force.
            return;
        }

        // A random share of the interval first: a fleet that starts together must not fetch together.
        var interval = config.Identity.Interval;
        var (due, began) = (interval * Random.Shared.NextDouble(), time.GetTimestamp());
        while (true)
        {
            Pulse.Beat(Longest);
            if (sync.Journal.Exists)
            {
                await GuardAsync(() => sync.RecoverAsync(stopping));
            }

            if (interval > TimeSpan.Zero && time.GetElapsedTime(began) >= due)
            {
                await GuardAsync(() => sync.RunAsync(new SyncRequest { ByTimer = true }, stopping));
                (due, began) = (interval, time.GetTimestamp());
            }

            await TryPassAsync("the identity files", async () => await ReportAsync(await LookForForeignAsync()), stopping);
            Pulse.Beat();
            await Task.Delay(Look, time, stopping);
        }
    }

    // What a sync refuses it has recorded itself; here is only what could not even be recorded, once.
    private async Task GuardAsync(Func<Task> work)
    {
        try
        {
            await work();
            _said = null;
        }
        catch (SyncUnderWayException)
        {
            // By hand; its end will be in the record.
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            if (_said != fault.Message && sync.Journal.Exists)
            {
                LogSyncFailed(fault.Message);
            }

            _said = fault.Message;
        }
    }

    // Somebody may write a foreign identity without any sync; it is told once, until it changes.
    private async ValueTask<string?> LookForForeignAsync()
    {
        if (_looked is { } last && time.GetElapsedTime(last) < LookAtIdentity)
        {
            return null;
        }

        _looked = time.GetTimestamp();
        var foreign = await check.RefusesAsync() is { } found && found.StartsWith(SyncEvent.Contaminated, StringComparison.Ordinal) ? found : null;
        var fresh = foreign == _foreign ? null : foreign;
        _foreign = foreign;
        return fresh;
    }

    private async Task ReportAsync(string? foreign)
    {
        try
        {
            if (foreign is not null)
            {
                LogContaminated(foreign);
                await store.AddIncidentAsync(new Incident { Code = SyncEvent.Contaminated, Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(), Detail = Printable.Cut(foreign, 1000) });
            }

            var reported = OutsideFile.Read(ReportedFile, limit: 32, followLink: false) is { } text
                && long.TryParse(System.Text.Encoding.ASCII.GetString(text), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
            var fresh = sync.Records.Read().Events.Where(happened => happened.Number > reported).ToList();
            foreach (var happened in fresh)
            {
                Say(happened);
                if (happened.Code is SyncEvent.Contaminated or SyncEvent.RolledBack or SyncEvent.Restored)
                {
                    await store.AddIncidentAsync(new Incident { Code = happened.Code, Timestamp = happened.AtUnixMs, Detail = happened.Detail });
                }
            }

            if (fresh.Count > 0)
            {
                AtomicFile.Write(ReportedFile, fresh[^1].Number.ToString(CultureInfo.InvariantCulture));
            }
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            if (_said != fault.Message)
            {
                LogReportsNotKept(fault.Message);
                _said = fault.Message;
            }
        }
    }

    private void Say(SyncEvent happened)
    {
        switch (happened.Code)
        {
            case SyncEvent.Synced: LogSynced(happened.Detail); break;
            case SyncEvent.Collision: LogCollision(happened.Detail); break;
            case SyncEvent.Contaminated: LogContaminated(happened.Detail); break;
            case SyncEvent.Restored: LogRestored(happened.Detail); break;
            case SyncEvent.RolledBack: LogRolledBack(happened.Detail); break;
            case SyncEvent.Finished: LogFinished(happened.Detail); break;
            default: LogSyncFailed(happened.Detail); break;
        }
    }

    [LoggerMessage(EventIds.IdentitySynced, LogLevel.Information, "{Detail}; identity intact", EventName = "IdentitySynced")]
    private partial void LogSynced(string detail);

    [LoggerMessage(EventIds.IdentityCollision, LogLevel.Warning, "{Detail}", EventName = "IdentityCollision")]
    private partial void LogCollision(string detail);

    [LoggerMessage(EventIds.IdentityContaminated, LogLevel.Error, "{Detail}; no work is taken until the identity is right again: 'fleet-sidecar identity check' shows which source is clean, 'fleet-sidecar sync' puts it back", EventName = "IdentityContaminated")]
    private partial void LogContaminated(string detail);

    [LoggerMessage(EventIds.IdentityRestored, LogLevel.Warning, "{Detail}", EventName = "IdentityRestored")]
    private partial void LogRestored(string detail);

    [LoggerMessage(EventIds.SyncRolledBack, LogLevel.Warning, "{Detail}; the timer leaves that commit alone", EventName = "SyncRolledBack")]
    private partial void LogRolledBack(string detail);

    [LoggerMessage(EventIds.SyncFailed, LogLevel.Warning, "{Detail}; tried again at the next interval, or with 'fleet-sidecar sync'", EventName = "SyncFailed")]
    private partial void LogSyncFailed(string detail);

    [LoggerMessage(EventIds.SyncFinished, LogLevel.Warning, "{Detail}", EventName = "SyncFinished")]
    private partial void LogFinished(string detail);

    [LoggerMessage(EventIds.SyncReportsNotKept, LogLevel.Warning, "what syncs did cannot be read or passed on: {Message}; tried again", EventName = "SyncReportsNotKept")]
    private partial void LogReportsNotKept(string message);
}
