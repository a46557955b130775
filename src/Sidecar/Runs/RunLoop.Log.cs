using System.Collections.Immutable;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Storage;
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
            if (was.Facts.Report is { } earlier)
            {
                LogReportNotCounted(run.Id, run.TaskId, RunMessages.Words(earlier), "its provider failed");
            }
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

        if (run.State.IsFinal() && was?.State.IsFinal() != true && run.State is not (RunState.Completed or RunState.HandedOff) && run.Facts is { Report: not null, Uncounted: { } said })
        {
            LogReportNotCounted(run.Id, run.TaskId, RunMessages.Words(said), run.Facts.Failure?.Code ?? run.Facts.CancelReason ?? run.Facts.SupersededBy ?? run.State.Word());
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

    private void SayAvailable()
    {
        if (StoreProblem is not null)
        {
            LogStoreRecovered();
            StoreProblem = null;
            _withoutStore.Recovered();
            _availability.Say(AvailabilitySource.Store, null);
        }
    }

    private void SayUnavailable(StoreUnavailableException fault)
    {
        if (StoreProblem is null)
        {
            LogStoreUnavailable(fault.Message, fault.Hint, StoreRetry);
        }

        StoreProblem = $"{fault.Message}; {fault.Hint}";
        _availability.Say(AvailabilitySource.Store, new Closure("store_unavailable", StoreProblem));
    }

    [LoggerMessage(EventIds.RunsLoaded, LogLevel.Information, "found {Runs} open runs and {Messages} unacknowledged messages", EventName = "RunsLoaded")]
    private partial void LogRunsLoaded(int runs, int messages);

    [LoggerMessage(EventIds.RunMoved, LogLevel.Information, "{Run} {Task} generation {Generation}: {From} -> {To}", EventName = "RunMoved")]
    private partial void LogRunMoved(string run, string task, long generation, string from, string to);

    [LoggerMessage(EventIds.RunFailed, LogLevel.Warning, "{Run} {Task} failed, class {Code}: {Reason}; the hub decides about another attempt", EventName = "RunFailed")]
    private partial void LogRunFailed(string run, string task, string code, string reason);

    [LoggerMessage(EventIds.ReportNotCounted, LogLevel.Warning, "{Run} {Task}: the agent had reported {Report}, and the attempt ended otherwise: {Why}", EventName = "ReportNotCounted")]
    private partial void LogReportNotCounted(string run, string task, string report, string why);

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

    [LoggerMessage(EventIds.ReserveGivenUp, LogLevel.Warning, "{Message}: the disk is full, and the reserve beside the store was given up so that runs can end; free space", EventName = "ReserveGivenUp")]
    private partial void LogReserveGivenUp(string message);

    [LoggerMessage(EventIds.StoreRecovered, LogLevel.Information, "the store can be written again", EventName = "StoreRecovered")]
    private partial void LogStoreRecovered();

    [LoggerMessage(EventIds.RunNotFollowed, LogLevel.Error, "{Run} {Task} cannot be followed; its deadline acts, the other runs go on", EventName = "RunNotFollowed")]
    private partial void LogRunNotFollowed(string run, string task, Exception fault);

    [LoggerMessage(EventIds.AssignmentHeld, LogLevel.Information, "{Task} generation {Generation} waits: {Reason} ({Detail}); it begins when that is over, or is given back before the accept deadline", EventName = "AssignmentHeld")]
    private partial void LogAssignmentHeld(string task, long generation, string reason, string detail);

    [LoggerMessage(EventIds.AssignmentDropped, LogLevel.Warning, "{Task} generation {Generation} is not taken: {Reason} ({Detail}); a version 1 hub has no word for that and takes the task back by itself, without a retry", EventName = "AssignmentDropped")]
    private partial void LogAssignmentDropped(string task, long generation, string reason, string detail);
}
