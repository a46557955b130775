using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>Compares a run that the last process left with what lives on the machine; part of the start.</summary>
internal sealed partial class Reconciler(RunOrders work, SidecarConfig config, TimeProvider time, ILogger log)
{
    // Read before this process writes it.
    private readonly TimeSpan? _downtime = AliveFile.Read(config.StateDirectory, time.GetUtcNow())?.Age;

    /// <summary>The run with what was found out. The hub has not been heard yet; its answers go through the same table.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "A run whose process cannot be looked for must not keep the daemon from starting.")]
    public async ValueTask<Run> ReconcileAsync(Run run)
    {
        try
        {
            return await WitnessAsync(run);
        }
        catch (Exception fault)
        {
            // Its own orders look for the process again, with pauses in between, until they know.
            LogRunNotReconciled(run.Id, run.TaskId, fault);
            var failure = new Failure(FailureClass.InternalError, $"the start could not find out what became of its agent: {Printable.Cut(fault.Message, 500)}");
            return run.State.IsFinal() ? run : run with { Facts = run.Facts with { Failure = run.Facts.Failure ?? failure } };
        }
    }

    private async ValueTask<Run> WitnessAsync(Run run)
    {
        var row = BootRules.RowOf(run);
        var (process, found) = await work.WitnessAsync(run);
        var action = BootRules.Decide(row, process, HubFact.Unheard);
        LogRunReconciled(run.Id, run.TaskId, run.State.Word(), process, action);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        run = run with { StateSinceUnixMs = DowntimeRules.Since(run, process, now - (long?)_downtime?.TotalMilliseconds, now, config.Deadlines) };
        return row == RowFact.Intent && action is BootAction.Adopt or BootAction.Finalise ? run with { Process = run.Process ?? found } : run;
    }

    [LoggerMessage(EventIds.RunReconciled, LogLevel.Information, "{Run} {Task} was {State}, its process is {Process}: {Action}", EventName = "RunReconciled")]
    private partial void LogRunReconciled(string run, string task, string state, ProcessFact process, BootAction action);

    [LoggerMessage(EventIds.RunNotReconciled, LogLevel.Error, "{Run} {Task}: what became of its agent cannot be found out at the start; it fails as internal_error once its process is known to be gone", EventName = "RunNotReconciled")]
    private partial void LogRunNotReconciled(string run, string task, Exception fault);
}
