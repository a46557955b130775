using FleetSidecar.Configuration;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>Holds a start back that is one of many crashes in a row, so that a daemon that cannot live does not wear the machine out trying.</summary>
/// <remarks>In here and not in the unit, because how often is known on disk, and the unit must go on trying for ever.</remarks>
internal static partial class StartPause
{
    private static readonly TimeSpan Room = TimeSpan.FromSeconds(30), Sign = TimeSpan.FromSeconds(1), Uncounted = TimeSpan.FromSeconds(5);

    public static async Task TakeAsync(SidecarConfig config, StartBook starts, TimeProvider time, CancellationToken stopping)
    {
        // A start that cannot be counted may be one of many.
        var pause = starts.Problem is not null && config.SafeMode.Starts > 0 ? Uncounted : CrashLoopRules.Pause(starts.Against, config.SafeMode);
        if (pause == TimeSpan.Zero)
        {
            return;
        }

        using var early = new EarlyLog(nameof(StartPause), config.Agent.Id);
        LogStartHeldBack(early.Log, starts.Against, pause);

        // The manager's patience and its watchdog both run meanwhile; what it kills for waiting would be one crash more.
        for (var began = time.GetTimestamp(); pause - time.GetElapsedTime(began) is { Ticks: > 0 } left;)
        {
            Notifier.FromEnvironment().Waiting($"holding back for {left:hh\\:mm\\:ss}: {starts.Against} starts in a row crashed", Room);
            await Task.Delay(left < Sign ? left : Sign, time, stopping);
        }
    }

    [LoggerMessage(EventIds.StartHeldBack, LogLevel.Warning, "{Count} starts in a row crashed or were killed before they had lasted; this one waits {Pause} first. The reason is further up", EventName = "StartHeldBack")]
    private static partial void LogStartHeldBack(ILogger log, int count, TimeSpan pause);
}
