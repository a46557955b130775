using System.Globalization;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>Tells the service manager that the daemon lives, while every loop keeps its word to be seen again. A dead hub is no loop of ours.</summary>
internal sealed partial class Watchdog(IEnumerable<DaemonLoop> loops, AliveFile alive, Notifier notifier, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<Watchdog> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    private string _late = "";

    protected override async Task RunAsync(CancellationToken stopping)
    {
        // The dead man's switch looks at the file also where no service manager watches.
        var fed = Interval();
        var interval = fed < Longest ? fed.Value : Longest;
        while (true)
        {
            var late = Late([.. loops.Select(loop => loop.Pulse)]);
            if (late.Length == 0)
            {
                alive.Touch();
                if (fed is not null)
                {
                    notifier.Alive();
                }
            }
            else if (late != _late)
            {
                LogLoopOverdue(late);
            }

            _late = late;
            await Task.Delay(interval, time, stopping);
        }
    }

    /// <summary>The names of the loops that did not come by as they said they would; empty while all do.</summary>
    public static string Late(IReadOnlyList<Pulse> pulses) => string.Join(", ", pulses.Where(pulse => pulse.Overdue is not null).Select(pulse => pulse.Name));

    // A third of what the manager allows, so that two messages may be late; see sd_watchdog_enabled(3).
    private static TimeSpan? Interval() =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
        && (Environment.GetEnvironmentVariable("WATCHDOG_PID") is not { Length: > 0 } pid || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(microseconds / 3.0)
            : null;

    [LoggerMessage(EventIds.LoopOverdue, LogLevel.Error, "{Loops} did not come by in time; neither service manager nor dead man's switch is told that we live, and one of them starts us anew. Agents keep working", EventName = "LoopOverdue")]
    private partial void LogLoopOverdue(string loops);
}
