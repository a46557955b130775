using FleetSidecar.Configuration;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>Holds a start back that is one of many crashes in a row, so that a daemon that cannot live does not wear the machine out trying.</summary>
/// <remarks>In here and not in the unit, because how often is known on disk, and the unit must go on trying for ever.</remarks>
internal static partial class StartPause
{
    private static readonly TimeSpan Room = TimeSpan.FromSeconds(30);

    public static async Task TakeAsync(SidecarConfig config, StartBook starts, TimeProvider time, CancellationToken stopping)
    {
        if (CrashLoopRules.Pause(starts.Against, config.SafeMode) is not { Ticks: > 0 } pause)
        {
            return;
        }

        using var early = new EarlyLog(nameof(StartPause), config.Agent.Id);
        LogStartHeldBack(early.Log, starts.Against, pause);
        Notifier.FromEnvironment().Waiting($"holding back for {pause}: {starts.Against} starts in a row crashed", pause + Room);
        await Task.Delay(pause, time, stopping);
    }

    [LoggerMessage(EventIds.StartHeldBack, LogLevel.Warning, "{Count} starts in a row crashed or were killed before they had lasted; this one waits {Pause} first. The reason is further up", EventName = "StartHeldBack")]
    private static partial void LogStartHeldBack(ILogger log, int count, TimeSpan pause);
}
