using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Ground.Loops;

/// <summary>One named background loop. Cancellation ends it quietly; anything else ends the daemon with exit code 70.</summary>
/// <remarks>The framework ends a host whose background service died with exit code 0, which a supervisor reads as success;
/// the verdict is what the program returns instead.</remarks>
public abstract partial class DaemonLoop(Verdict verdict, IHostApplicationLifetime lifetime, ILogger log) : BackgroundService
{
    /// <summary>Set by a loop that a watchdog watches; see <see cref="Loops.Pulse"/>.</summary>
    public Pulse Pulse => field ??= new Pulse(GetType().Name);

    protected abstract Task RunAsync(CancellationToken stopping);

    /// <summary>One pass over one thing that other programs can fill: what throws is said, costs this pass alone, and comes up again with the next.</summary>
    /// <param name="subject">What the pass is about, for the log.</param>
    /// <param name="pass">The work.</param>
    /// <param name="stopping">A cancellation of this token goes through.</param>
    [SuppressMessage("Design", "CA1031", Justification = "Content that one pass cannot handle must not end the daemon; the next pass looks again.")]
    protected async Task<bool> TryPassAsync(string subject, Func<Task> pass, CancellationToken stopping)
    {
        try
        {
            await pass();
            return true;
        }
        catch (Exception fault) when (!(fault is OperationCanceledException && stopping.IsCancellationRequested))
        {
            LogPassBroke(log, GetType().Name, subject, fault);
            return false;
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The one general catch: a loop that dies must end the daemon, whatever killed it.")]
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await RunAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
        catch (Exception fault)
        {
            LogLoopDied(log, GetType().Name, fault.Message, (fault as SidecarException)?.Hint ?? "see the stack trace", fault);
            verdict.Fail(ExitCodes.LoopDied);
            lifetime.StopApplication();
        }
    }

    [LoggerMessage(GroundEvents.PassBroke, LogLevel.Error, "{Loop} could not handle {Subject}; it is passed over until the next look", EventName = "PassBroke")]
    private static partial void LogPassBroke(ILogger log, string loop, string subject, Exception fault);

    [LoggerMessage(GroundEvents.LoopDied, LogLevel.Error, "{Loop} died: {Message}; {Hint}; ending with exit code 70 so that the supervisor starts a fresh process", EventName = "LoopDied")]
    private static partial void LogLoopDied(ILogger log, string loop, string message, string hint, Exception fault);
}
