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
                await TakeAsync(connection, new("task_accepted", accepted.TaskId, accepted.Generation, accepted.MessageId),
                    IsV1(connection) || accepted.MessageId is null ? Reply.Full : Reply.Refusals,
                    (task, now) => (TaskRules.Accepted(task, now, options), "accepted"));
                break;
            case SidecarMessage.WakeResult wake:
                await TakeAsync(connection, new("wake_result", wake.TaskId, wake.Generation, wake.MessageId), Unanswered(connection),
                    (task, now) => (new TaskChange(TaskRules.Renew(task, now, options), "wake_result", Describe(wake)), "noted"));
                break;
            case SidecarMessage.TaskProgress progress:
                await TakeAsync(connection, new("task_progress", progress.TaskId, progress.Generation), Unanswered(connection),
                    (task, now) => (new TaskChange(TaskRules.Renew(task, now, options), "progress", progress.Message ?? $"{progress.Progress} %"), "noted"));
                break;
            case SidecarMessage.TaskComplete complete:
                await TakeAsync(connection, new("task_complete", complete.TaskId, complete.Generation, complete.MessageId), Reply.Full,
                    (task, now) => queue.Complete(task, complete, now));
                break;
            case SidecarMessage.TaskFailed failed:
                await TakeAsync(connection, new("task_fail", failed.TaskId, failed.Generation, failed.MessageId), Reply.Full,
                    (task, now) => queue.Fail(task, Describe(failed), now));
                break;
            case SidecarMessage.TaskHandoff handoff:
                await TakeAsync(connection, new("task_handoff", handoff.TaskId, handoff.Generation, handoff.MessageId), Reply.Full,
                    (task, now) => (TaskRules.HandOff(task, connection.AgentId, handoff.Reason, now), "requeued"));
                break;
            case SidecarMessage.TaskRejected rejected:
                connection.Hold(time.GetTimestamp() + (long)(options.RejectionPause.TotalSeconds * time.TimestampFrequency));
                await TakeAsync(connection, new("task_rejected", rejected.TaskId, rejected.Generation), Unanswered(connection),
                    (task, now) => (TaskRules.Requeue(task, $"rejected by {connection.AgentId}: {rejected.Reason} {rejected.Detail}", now, TimeSpan.Zero), "requeued"));
                break;
            case SidecarMessage.StateReport report:
                await ReportAsync(connection, report);
                break;
            case SidecarMessage.TaskRecovering recovering:
                await RecoverAsync(connection, recovering.TaskId);
                break;
            case SidecarMessage.Identify:
                connection.Send(new HubMessage.Error { Code = "already_identified" });
                break;
            case SidecarMessage.ResourceReport or SidecarMessage.LogChunk:
                break;
        }
    }

    private async Task TakeAsync(
        AgentConnection connection, TaskMessage message, Reply reply, Func<TaskRecord, long, (TaskChange? Change, string Status)> decide)
    {
        var answer = await queue.TakeAsync(connection.AgentId, message, decide);

        // Version 1 tells its answers apart by order and kind alone; an id in one would make it an answer of version 2.
        var (taskId, messageId) = IsV1(connection) ? (null, null) : (message.TaskId, message.MessageId);
        if (answer.Refusal is { } refusal)
        {
            LogTaskRefused(connection.AgentId, message.What, message.TaskId, message.Generation ?? -1, refusal);
            if (reply != Reply.None)
            {
                connection.Send(new HubMessage.Error
                {
                    Code = $"{message.What}_failed: {refusal}", TaskId = taskId, MessageId = messageId,
                    Hint = "this attempt no longer counts; keep the work, stop the agent",
                });
            }
        }
        else if (reply == Reply.Full)
        {
            var times = answer.Repeated ? "again" : "first time";
            LogTaskTaken(connection.AgentId, message.What, message.TaskId, message.Generation ?? -1, answer.Status!, times);
            connection.Send(new HubMessage.TaskAck { TaskId = message.TaskId, Status = answer.Status, MessageId = messageId });
        }
    }

    private static bool IsV1(AgentConnection connection) => connection.Version == ProtocolVersions.V1;

    // Version 1 knows no answer to these, and would take an error for the answer to something else.
    private static Reply Unanswered(AgentConnection connection) => IsV1(connection) ? Reply.None : Reply.Refusals;

    private async Task HearAsync(AgentConnection connection, SidecarMessage.Heartbeat heartbeat)
    {
        // First of all: what it works on must be its own before the scheduler sees that it is available.
        await queue.RenewAsync(connection.AgentId, [.. heartbeat.Runs.Select(run => (run.TaskId, run.Generation))]);
        var wasAvailable = connection.IsAvailable;
        var working = queue.HeldBy(connection.AgentId).Where(task => task.Status == TaskStatus.Working);
        foreach (var lost in connection.Hear(heartbeat, working))
        {
            LogRunLost(connection.AgentId, lost);
            await queue.ChangeAsync(lost, (task, now) => task.AssignedTo == connection.AgentId && task.Status == TaskStatus.Working
                ? TaskRules.Failed(task, $"{connection.AgentId} no longer knows of this run", now, options, "run_lost") : null);
        }

        if (!wasAvailable)
        {
            agents.Changed?.Invoke();
        }
    }

    // Version 1 names no runs in its ping, so being there is all the sign there is; but not for a run that it has to name
    // first.
    private Task RenewHeldAsync(AgentConnection connection)
    {
        var named = queue.HeldBy(connection.AgentId).Where(task => task is { Status: TaskStatus.Working, AcceptBy: null });
        return queue.RenewAsync(connection.AgentId, [.. named.Select(task => (task.Id, task.Generation))]);
    }

    private async Task RecoverAsync(AgentConnection connection, string taskId)
    {
        var held = Held(connection, taskId);
        if (held is null)
        {
            connection.Send(new HubMessage.TaskReassign { TaskId = taskId });
            return;
        }

        // A question is no sign of a run: what follows from the answer is.
        await queue.AskForSignAsync(connection.AgentId, taskId);
        connection.Send(new HubMessage.TaskContinue { TaskId = taskId, Generation = held.Generation });
    }

    private async Task ReportAsync(AgentConnection connection, SidecarMessage.StateReport report)
    {
        var answer = await queue.TakeAsync(connection.AgentId, new("state_report", report.TaskId, report.Generation), (task, now) =>
            (task.Status == TaskStatus.Working ? null : TaskRules.Accepted(task, now, options), "accepted"));
        var held = answer.Refusal is null ? null : Held(connection, report.TaskId);

        // The task was given to the same agent again while its report was on the way: the run goes on under the new
        // generation (L1).
        var goesOn = answer.Refusal is null || held?.Generation > report.Generation;
        connection.Send(new HubMessage.StateReportAck
        {
            TaskId = report.TaskId, Action = goesOn ? "continue" : "abort", Generation = (goesOn ? held?.Generation : null) ?? report.Generation,
        });
    }

    private TaskRecord? Held(AgentConnection connection, string taskId) =>
        queue.HeldBy(connection.AgentId).FirstOrDefault(task => task.Id == taskId);

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

    /// <summary>What an agent hears about its message.</summary>
    private enum Reply
    {
        /// <summary>Nothing.</summary>
        None,

        /// <summary>Only that it was refused.</summary>
        Refusals,

        /// <summary>That it was taken, too.</summary>
        Full,
    }
}
