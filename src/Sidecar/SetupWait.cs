using System.Runtime.InteropServices;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>What a freshly installed daemon does until somebody has set it up: it is there, it is well, and it says what to do next.</summary>
/// <remarks>When a configuration appears the process ends with 0 and is started again by its unit, because the token is handed over at a start.</remarks>
internal static partial class SetupWait
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    /// <summary>True where there is nothing yet. What this user may not look at, or what is no file, is a fault, and no reason to wait.</summary>
    public static bool IsFor(string file) => PathFacts.Of(file) is null && PathFacts.Fault(file) is null;

    /// <summary>Returns when the file is there, or when it is asked to stop.</summary>
    public static async Task<int> RunAsync(string file)
    {
        using var asked = new CancellationTokenSource();
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var reload = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal => signal.Cancel = true); // A reload of nothing.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var early = new EarlyLog(nameof(SetupWait));
        var notifier = Notifier.FromEnvironment();
        LogNotSetUp(early.Log, file);
        notifier.Ready("not set up: run 'fleet-sidecar setup'");
        while (IsFor(file) && !asked.IsCancellationRequested)
        {
            notifier.Alive();
            await Task.WhenAny(Task.Delay(Look, TimeProvider.System, asked.Token));
        }

        notifier.Stopping();
        return ExitCodes.Ok;

        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            asked.Cancel();
        }
    }

    [LoggerMessage(EventIds.NotSetUp, LogLevel.Warning, "there is no configuration {File} yet; run 'fleet-sidecar setup --hub URL --enrol KEY --agent ID' on this machine, see fleet-sidecar(1)", EventName = "NotSetUp")]
    private static partial void LogNotSetUp(ILogger log, string file);
}
