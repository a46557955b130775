using System.Collections.Immutable;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Drain;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <content>What the loop tells whoever reads the journal.</content>
internal sealed partial class RunLoop
{
    private void Report(ImmutableArray<Run> before, Run run)
    {
        var was = before.FirstOrDefault(known => known.Id == run.Id);
        if (was is not null && was.Profile.Name != run.Profile.Name && run.Facts.Tried is [.., var tried])
        {
            LogFailedOver(run.Id, run.TaskId, tried.Profile, tried.Code, tried.Reason, run.Profile.Name);
        }

        if (was?.State == run.State)
        {
            return;
        }

        LogRunMoved(run.Id, run.TaskId, run.Generation, was?.State.Word() ?? "new", run.State.Word());
        if (run.Facts.Failure is { } failure && run.State == RunState.Failed)
        {
            LogRunFailed(run.Id, run.TaskId, failure.Code, failure.Reason);
        }
    }

    private void ReportDoors(RunDraft draft)
    {
        if (draft.Intake is { } intake)
        {
            LogIntakeChanged(IntakeRules.Word(intake.Mode), intake.Reason);
        }

        foreach (var (profile, breaker) in draft.Breakers.Changed)
        {
            LogBreakerMoved(profile, breaker switch
            {
                null => "closed",
                { OpenedAtUnixMs: null } => $"{breaker.Failures} failures, the last one {breaker.LastCode}",
                { ProbeRunId: { } run } => $"half open, {run} tries",
                _ => $"open for {BreakerRules.OpenFor}, {breaker.LastCode}",
            });
        }
    }

    [LoggerMessage(EventIds.RunsLoaded, LogLevel.Information, "found {Runs} open runs and {Messages} unacknowledged messages", EventName = "RunsLoaded")]
    private partial void LogRunsLoaded(int runs, int messages);

    [LoggerMessage(EventIds.RunReconciled, LogLevel.Information, "{Run} {Task} was {State}, its process is {Process}: {Action}", EventName = "RunReconciled")]
    private partial void LogRunReconciled(string run, string task, string state, ProcessFact process, BootAction action);

    [LoggerMessage(EventIds.RunMoved, LogLevel.Information, "{Run} {Task} generation {Generation}: {From} -> {To}", EventName = "RunMoved")]
    private partial void LogRunMoved(string run, string task, long generation, string from, string to);

    [LoggerMessage(EventIds.RunFailed, LogLevel.Warning, "{Run} {Task} failed, class {Code}: {Reason}; the hub decides about another attempt", EventName = "RunFailed")]
    private partial void LogRunFailed(string run, string task, string code, string reason);

    [LoggerMessage(EventIds.FailedOver, LogLevel.Warning, "{Run} {Task}: the provider of profile {Profile} failed, class {Code}: {Reason}; waking with profile {Next}", EventName = "FailedOver")]
    private partial void LogFailedOver(string run, string task, string profile, string code, string reason, string next);

    [LoggerMessage(EventIds.BreakerMoved, LogLevel.Warning, "breaker of profile {Profile}: {Now}", EventName = "BreakerMoved")]
    private partial void LogBreakerMoved(string profile, string now);

    [LoggerMessage(EventIds.IntakeChanged, LogLevel.Information, "work is {Mode} from now on: {Reason}", EventName = "IntakeChanged")]
    private partial void LogIntakeChanged(string mode, string? reason);

    [LoggerMessage(EventIds.AssignmentRejected, LogLevel.Warning, "{Task} generation {Generation} rejected: {Reason} ({Detail}); the hub gives it to somebody else", EventName = "AssignmentRejected")]
    private partial void LogAssignmentRejected(string task, long generation, string reason, string? detail);

    [LoggerMessage(EventIds.StoreUnavailable, LogLevel.Error, "{Message}; {Hint}; nothing is lost, trying again every {Delay}", EventName = "StoreUnavailable")]
    private partial void LogStoreUnavailable(string message, string hint, TimeSpan delay);

    [LoggerMessage(EventIds.StoreRecovered, LogLevel.Information, "the store can be written again", EventName = "StoreRecovered")]
    private partial void LogStoreRecovered();

    [LoggerMessage(EventIds.OrderBroke, LogLevel.Error, "{Run} {Task} {Order} broke; the run fails by name, the daemon goes on", EventName = "OrderBroke")]
    private partial void LogOrderBroke(string run, string task, OrderKind order, Exception fault);
}
