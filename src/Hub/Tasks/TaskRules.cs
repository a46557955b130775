using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>A changed task and what to write into its history.</summary>
internal sealed record TaskChange(TaskRecord Task, string Event, string? Details = null);

/// <summary>The life of a task at the hub. Pure: time comes in, a changed record goes out.</summary>
internal static class TaskRules
{
    private const string LeaseExpired = "lease_expired", NoSign = "no_sign";

    public static TaskChange Assign(TaskRecord task, string agent, long now, HubOptions options) => new(
        task with
        {
            Status = TaskStatus.Assigned,
            AssignedTo = agent,
            AssignedAt = now,
            AcceptBy = now + (long)options.AcceptDeadline.TotalMilliseconds,
            LeaseUntil = now + (long)options.Lease.TotalMilliseconds,
            Generation = task.Generation + 1,
            UpdatedAt = now,
        },
        "assigned", $"to {agent}, generation {task.Generation + 1}");

    /// <summary>Why a message about a task must not be believed, or null. The binding of L10: agent, generation, and the task still being theirs.</summary>
    public static string? Refuse(TaskRecord? task, string agent, long? generation) => task switch
    {
        null => "not_found",
        { IsFinal: true } => generation < task.Generation ? "stale_generation" : "invalid_state",
        _ when task.AssignedTo == agent => generation is null || generation == task.Generation ? null : "stale_generation",
        { IsHeld: true } => "not_assigned_to_you",
        _ => generation < task.Generation ? "stale_generation" : "invalid_state",
    };

    public static TaskChange? Accepted(TaskRecord task, long now, HubOptions options)
    {
        var renewed = Renew(task, now, options) with { Status = TaskStatus.Working, AcceptBy = null };
        return new TaskChange(renewed, task.Status == TaskStatus.Working ? "accepted_again" : "accepted", $"by {task.AssignedTo}");
    }

    /// <summary>A sign of the run: the lease begins again, and no other sign is awaited.</summary>
    public static TaskRecord Renew(TaskRecord task, long now, HubOptions options) => task with
    {
        AcceptBy = task.Status == TaskStatus.Working ? null : task.AcceptBy, LeaseUntil = now + (long)options.Lease.TotalMilliseconds, UpdatedAt = now,
    };

    /// <summary>What an agent works on must show a sign within the accept deadline. Asking again does not give it more time.</summary>
    public static TaskRecord AskForSign(TaskRecord task, long now, HubOptions options) => task is { Status: TaskStatus.Working, AcceptBy: null }
        ? task with { AcceptBy = now + (long)options.AcceptDeadline.TotalMilliseconds }
        : task;

    /// <summary>No sign can come without a connection, so only the lease counts.</summary>
    public static TaskRecord StopAsking(TaskRecord task) => task.Status == TaskStatus.Working ? task with { AcceptBy = null } : task;

    /// <summary>The hub was down for a time that must not count: lease and accept deadline begin again, and a sign is awaited only of who is back.</summary>
    public static TaskRecord Forgive(TaskRecord task, long now, HubOptions options) => Renew(task, now, options) with
    {
        AcceptBy = task.Status == TaskStatus.Assigned ? now + (long)options.AcceptDeadline.TotalMilliseconds : null, UpdatedAt = task.UpdatedAt,
    };

    /// <summary>Complete, if the evidence says so: a message called task_complete whose result is not a success is a failure (L9).</summary>
    public static TaskChange Complete(TaskRecord task, SidecarMessage.TaskComplete message, string? result, string? verification, long now, HubOptions options)
    {
        var problem = message switch
        {
            { Result.Status: not "success" } => $"the result says '{Printable.Cut(message.Result?.Status ?? "nothing", 64)}', not success",
            { VerificationReport.Status: "fail" } => "the verification report says fail",
            { Result.ExitCode: not null and not 0 } => $"the agent ended with exit code {message.Result.ExitCode}",
            _ => null,
        };
        return problem is not null
            ? Failed(task, problem, now, options)
            : new TaskChange(
                task with
                {
                    Status = TaskStatus.Completed, Result = result, VerificationReport = verification, TokensUsed = message.TokensUsed,
                    AcceptBy = null, LeaseUntil = null, LastError = null, UpdatedAt = now,
                },
                "completed", $"by {task.AssignedTo}, generation {task.Generation}");
    }

    /// <summary>An attempt is over without the work being done: again after a pause, or into the dead letters.</summary>
    public static TaskChange Failed(TaskRecord task, string error, long now, HubOptions options, string reason = "failed")
    {
        var released = task with { AcceptBy = null, LeaseUntil = null, LastError = Printable.Cut(error, WireLimits.MaxReason), UpdatedAt = now };
        if (task.RetryCount >= (task.Spec.MaxRetries ?? options.MaxRetries))
        {
            return new TaskChange(released with { Status = TaskStatus.DeadLetter }, "dead_letter", $"{reason}: {error}");
        }

        // An agent that was not heard of may still come back with the work, as long as no other was asked: then it is its own again.
        var lapsed = reason is LeaseExpired or NoSign;
        var pause = options.RetryDelays.Count == 0 ? TimeSpan.Zero : options.RetryDelays[Math.Min(task.RetryCount, options.RetryDelays.Count - 1)];
        return new TaskChange(
            released with
            {
                Status = pause > TimeSpan.Zero ? TaskStatus.RetryWait : TaskStatus.Queued, AssignedTo = lapsed ? task.AssignedTo : null,
                RetryCount = task.RetryCount + 1,
                NotBefore = now + (long)pause.TotalMilliseconds,
            },
            "retried", $"{reason}: {error}; next attempt in {pause}");
    }

    /// <summary>To somebody else: not an attempt, but never back to the one who handed it off.</summary>
    public static TaskChange HandOff(TaskRecord task, string agent, string reason, long now)
    {
        var change = Requeue(task with { HandedOffBy = [.. task.HandedOffBy.Append(agent).Distinct()] }, $"handed off by {agent}: {reason}", now, TimeSpan.Zero);
        return change with { Event = "handed_off" };
    }

    /// <summary>Back into the queue without counting as an attempt: nothing was begun.</summary>
    public static TaskChange Requeue(TaskRecord task, string why, long now, TimeSpan pause) => new(
        task with { Status = TaskStatus.Queued, AssignedTo = null, AcceptBy = null, LeaseUntil = null, NotBefore = now + (long)pause.TotalMilliseconds, UpdatedAt = now },
        "requeued", why);

    /// <summary>What the passing of time makes of a task that somebody holds.</summary>
    public static TaskChange? Overdue(TaskRecord task, long now, HubOptions options) => task switch
    {
        { Status: TaskStatus.Assigned } when task.AcceptBy <= now => Failed(task, $"{task.AssignedTo} did not accept within {options.AcceptDeadline}", now, options, "not_accepted"),
        { Status: TaskStatus.Working } when task.AcceptBy <= now => Failed(
            task, $"{task.AssignedTo} connected again and gave no sign of the run within {options.AcceptDeadline}", now, options, NoSign),
        { IsHeld: true } when task.LeaseUntil <= now => Failed(task, $"nothing heard of {task.AssignedTo} for {options.Lease}", now, options, LeaseExpired),
        { Status: TaskStatus.RetryWait } when task.NotBefore <= now => new TaskChange(task with { Status = TaskStatus.Queued, UpdatedAt = now }, "queued", "the pause is over"),
        _ => null,
    };

    public static TaskChange? Cancel(TaskRecord task, string by, long now) => task.IsFinal ? null : new TaskChange(
        task with { Status = TaskStatus.Cancelled, AcceptBy = null, LeaseUntil = null, UpdatedAt = now }, "cancelled", $"by {by}");

    public static TaskChange? Retry(TaskRecord task, string by, long now) => task.Status is not (TaskStatus.DeadLetter or TaskStatus.Cancelled or TaskStatus.RetryWait) ? null : new TaskChange(
        task with { Status = TaskStatus.Queued, AssignedTo = null, RetryCount = 0, NotBefore = 0, HandedOffBy = [], UpdatedAt = now }, "queued", $"retried by {by}");
}
