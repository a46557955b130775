using FleetHub.Agents;
using FleetHub.Tasks;
using FleetSidecar.Protocol;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Sockets;

/// <summary>What each message of a sidecar does. Everything about a task is bound to agent, generation and the current connection.</summary>
internal sealed partial class MessageHandler(AgentRegistry agents, TaskQueue queue, HubOptions options, TimeProvider time, ILogger<MessageHandler> log)
{
    private const int LongestOutput = 300;

    public async Task HandleAsync(AgentConnection connection, SidecarMessage message)
    {
        if (!agents.IsCurrent(connection))
        {
            return; // The older of two connections has no say; it has been told.
        }

        switch (message)
        {
            case SidecarMessage.Ping:
                connection.Send(Pong());
                await RenewHeldAsync(connection);
                break;
            case SidecarMessage.Heartbeat heartbeat:
                connection.Send(Pong());
                await HearAsync(connection, heartbeat);
                break;
            case SidecarMessage.TaskAccepted accepted:
                await TakeAsync(connection, "task_accepted", accepted.TaskId, accepted.Generation, accepted.MessageId, quiet: accepted.MessageId is not null,
                    (task, now) => (TaskRules.Accepted(task, now, options), "accepted"));
                break;
            case SidecarMessage.WakeResult wake:
                await TakeAsync(connection, "wake_result", wake.TaskId, wake.Generation, wake.MessageId, quiet: true,
                    (task, now) => (new TaskChange(TaskRules.Renew(task, now, options), "wake_result", Describe(wake)), "noted"));
                break;
            case SidecarMessage.TaskProgress progress:
                await TakeAsync(connection, "task_progress", progress.TaskId, progress.Generation, null, quiet: true,
                    (task, now) => (new TaskChange(TaskRules.Renew(task, now, options), "progress", progress.Message ?? $"{progress.Progress} %"), "noted"));
                break;
            case SidecarMessage.TaskComplete complete:
                await TakeAsync(connection, "task_complete", complete.TaskId, complete.Generation, complete.MessageId, quiet: false,
                    (task, now) => queue.Complete(task, complete, now));
                break;
            case SidecarMessage.TaskFailed failed:
                await TakeAsync(connection, "task_fail", failed.TaskId, failed.Generation, failed.MessageId, quiet: false,
                    (task, now) => queue.Fail(task, Describe(failed), now));
                break;
            case SidecarMessage.TaskHandoff handoff:
                await TakeAsync(connection, "task_handoff", handoff.TaskId, handoff.Generation, handoff.MessageId, quiet: false,
                    (task, now) => (TaskRules.HandOff(task, connection.AgentId, handoff.Reason, now), "requeued"));
                break;
            case SidecarMessage.TaskRejected rejected:
                connection.Hold(time.GetTimestamp() + (long)(options.RejectionPause.TotalSeconds * time.TimestampFrequency));
                await TakeAsync(connection, "task_rejected", rejected.TaskId, rejected.Generation, null, quiet: true,
                    (task, now) => (TaskRules.Requeue(task, $"rejected by {connection.AgentId}: {rejected.Reason} {rejected.Detail}", now, TimeSpan.Zero), "requeued"));
                break;
            case SidecarMessage.StateReport report:
                await ReportAsync(connection, report);
                break;
            case SidecarMessage.TaskRecovering recovering:
                var held = queue.HeldBy(connection.AgentId).FirstOrDefault(task => task.Id == recovering.TaskId);
                connection.Send(held is null ? new HubMessage.TaskReassign { TaskId = recovering.TaskId } : new HubMessage.TaskContinue { TaskId = held.Id, Generation = held.Generation });
                break;
            case SidecarMessage.Identify:
                connection.Send(new HubMessage.Error { Code = "already_identified" });
                break;
            case SidecarMessage.ResourceReport or SidecarMessage.LogChunk:
                break;
        }
    }

    private async Task TakeAsync(AgentConnection connection, string what, string taskId, long? generation, string? messageId, bool quiet,
        Func<TaskRecord, long, (TaskChange? Change, string Status)> decide)
    {
        var answer = await queue.TakeAsync(connection.AgentId, taskId, generation, messageId, decide);
        if (answer.Refusal is { } refusal)
        {
            LogTaskRefused(connection.AgentId, what, taskId, generation ?? -1, refusal);
            connection.Send(new HubMessage.Error
            {
                Code = $"{what}_failed: {refusal}", TaskId = taskId, MessageId = messageId, Hint = "this attempt no longer counts; keep the work, stop the agent",
            });
        }
        else if (!quiet)
        {
            LogTaskTaken(connection.AgentId, what, taskId, generation ?? -1, answer.Status!, answer.Repeated ? "again" : "first time");
            connection.Send(new HubMessage.TaskAck { TaskId = taskId, Status = answer.Status, MessageId = messageId });
        }
    }

    private async Task HearAsync(AgentConnection connection, SidecarMessage.Heartbeat heartbeat)
    {
        var wasAvailable = connection.IsAvailable;
        var working = queue.HeldBy(connection.AgentId).Where(task => task.Status == TaskStatus.Working);
        foreach (var lost in connection.Hear(heartbeat, working))
        {
            LogRunLost(connection.AgentId, lost);
            await queue.ChangeAsync(lost, (task, now) => task.AssignedTo == connection.AgentId && task.Status == TaskStatus.Working
                ? TaskRules.Failed(task, $"{connection.AgentId} no longer knows of this run", now, options, "run_lost") : null);
        }

        await queue.RenewAsync(connection.AgentId, [.. heartbeat.Runs.Select(run => (run.TaskId, run.Generation))]);
        if (!wasAvailable)
        {
            agents.Changed?.Invoke();
        }
    }

    // Version 1 names no runs in its ping, so being there is all the sign there is.
    private Task RenewHeldAsync(AgentConnection connection) => queue.RenewAsync(connection.AgentId,
        [.. queue.HeldBy(connection.AgentId).Where(task => task.Status == TaskStatus.Working).Select(task => (task.Id, task.Generation))]);

    private async Task ReportAsync(AgentConnection connection, SidecarMessage.StateReport report)
    {
        var answer = await queue.TakeAsync(connection.AgentId, report.TaskId, report.Generation, null, (task, now) =>
            (task.Status == TaskStatus.Working ? null : TaskRules.Accepted(task, now, options), "accepted"));
        connection.Send(new HubMessage.StateReportAck
        {
            TaskId = report.TaskId, Action = answer.Refusal is null ? "continue" : "abort", Generation = answer.Refusal is null ? report.Generation : null,
        });
    }

    private HubMessage.Pong Pong() => new() { Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds() };

    // What a person needs to see why, without going to the machine.
    private static string Describe(SidecarMessage.TaskFailed failed)
    {
        var text = $"{failed.Code ?? "failed"}: {failed.Error ?? failed.Reason ?? "no reason given"}";
        text += failed.ProfilesTried is { Count: > 0 } tried ? $"; profiles tried: {string.Join(", ", tried)}" : "";
        text += failed.ProcessState is { } state ? $"; processes when it was stopped: {state}" : "";
        return Printable.Cut(failed.LastOutput is { Length: > 0 } output ? $"{text}; last output: {Printable.Tail(output, LongestOutput)}" : text, WireLimits.MaxReason);
    }

    private static string Describe(SidecarMessage.WakeResult wake) =>
        $"{wake.Status}, level {wake.Level}, profile {wake.Profile}, attempt {wake.Attempt}, exit code {wake.ExitCode?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none yet"}, {(wake.DurationMs is { } ms ? $"{ms} ms" : "not proved")} {wake.Error}".TrimEnd();

    [LoggerMessage(HubEvents.TaskTaken, LogLevel.Information, "{Agent} {What} {Task} generation {Generation}: {Status} ({Times})", EventName = "TaskTaken")]
    private partial void LogTaskTaken(string agent, string what, string task, long generation, string status, string times);

    [LoggerMessage(HubEvents.TaskRefused, LogLevel.Warning, "{Agent} {What} {Task} generation {Generation} refused: {Refusal}; the task is as it was", EventName = "TaskRefused")]
    private partial void LogTaskRefused(string agent, string what, string task, long generation, string refusal);

    [LoggerMessage(HubEvents.RunLost, LogLevel.Warning, "{Agent} has left {Task} out of two heartbeats running; it counts as a failed attempt", EventName = "RunLost")]
    private partial void LogRunLost(string agent, string task);
}
