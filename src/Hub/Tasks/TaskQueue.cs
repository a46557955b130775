using System.Security.Cryptography;
using System.Text.Json;
using FleetHub.Agents;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>The durable queue: every change is read, decided and written in one commit, and only then told to anyone.</summary>
/// <remarks>SQLite is the only copy of a task. Commits run one after the other, so two messages about one task cannot both win.</remarks>
internal sealed class TaskQueue(Store store, HubOptions options, TimeProvider time)
{
    /// <summary>Wakes the scheduler; called after every change that could free or add work.</summary>
    public Action? Changed { get; set; }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Part of the start: time in which the hub was down does not count against anyone (L7).</summary>
    public Task ForgiveDowntimeAsync() => store.CommitAsync(db =>
    {
        foreach (var task in TaskStore.Held(db))
        {
            TaskStore.Save(db, TaskRules.Forgive(task, Now, options));
        }

        return true;
    });

    /// <summary>The first of some task ids that does not exist, or null.</summary>
    public string? FirstUnknown(IReadOnlyList<string> ids) => store.Read(db => ids.FirstOrDefault(id => TaskStore.Find(db, id) is null));

    public async Task<TaskRecord> AddAsync(TaskSpec spec, int priority, string by)
    {
        var now = Now;
        var task = new TaskRecord
        {
            Id = $"task-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}", Status = TaskStatus.Queued, Priority = priority, Spec = spec,
            SubmittedBy = by, CreatedAt = now, UpdatedAt = now,
        };
        await store.CommitAsync(db =>
        {
            TaskStore.Save(db, new TaskChange(task, "queued", $"submitted by {by}"));
            return true;
        });
        Changed?.Invoke();
        return task;
    }

    /// <summary>Gives due work to agents that can take it; what is returned must be sent to them.</summary>
    public Task<AssignPass> AssignAsync(IReadOnlyList<AgentConnection> agents) => store.CommitAsync(db =>
    {
        var (now, timestamp) = (Now, time.GetTimestamp());
        foreach (var task in TaskStore.Held(db).Concat(TaskStore.Waiting(db)))
        {
            if (TaskRules.Overdue(task, now, options) is { } change)
            {
                TaskStore.Save(db, change);
            }
        }

        var candidates = agents.Select(agent => agent.AsCandidate(TaskStore.HeldBy(db, agent.AgentId).Count, timestamp)).Where(agent => agent.FreeSlots > 0).ToList();
        var pass = new AssignPass([], now, timestamp);
        if (candidates.Count == 0)
        {
            return pass;
        }

        var due = TaskStore.Due(db, now).Where(task => TaskStore.AllCompleted(db, task.Spec.DependsOn ?? []));
        foreach (var (task, agentId) in Matching.Pair(due, candidates))
        {
            var change = TaskRules.Assign(task, agentId, now, options);
            TaskStore.Save(db, change);
            pass.Assigned.Add((agentId, Assignments.For(change.Task)));
        }

        return pass;
    });

    /// <summary>What an agent holds without having accepted it: sent again after a reconnect.</summary>
    public List<HubMessage.TaskAssign> Unaccepted(string agentId) => store.Read(db =>
        TaskStore.HeldBy(db, agentId).Where(task => task.Status == TaskStatus.Assigned).Select(Assignments.For).ToList());

    /// <summary>Part of a new connection: each run must show a sign within the accept deadline, or it is taken back (L50).</summary>
    public Task AskForSignsAsync(string agentId) =>
        ChangeSilentlyAsync(agentId, task => TaskRules.AskForSign(task, Now, options));

    /// <summary>The connection ended before the sign came: the lease decides now, and the next connection asks again.</summary>
    /// <param name="agentId">The agent.</param>
    /// <param name="isAway">Asked inside the commit: the next connection may have asked for signs already.</param>
    public Task StopAskingAsync(string agentId, Func<bool> isAway) =>
        ChangeSilentlyAsync(agentId, task => isAway() ? TaskRules.StopAsking(task) : task);

    /// <summary>The same for one task that the agent only asked about.</summary>
    public Task AskForSignAsync(string agentId, string taskId) =>
        ChangeSilentlyAsync(agentId, task => task.Id == taskId ? TaskRules.AskForSign(task, Now, options) : task);

    /// <summary>When the first deadline after a pass is, so that the scheduler can sleep until then; it may lie behind us already.</summary>
    public long? NextDeadline(AssignPass pass) => store.Read(db => db.Query(
        """
        SELECT MIN(at) FROM (SELECT MIN(accept_by_unix_ms) AS at FROM tasks WHERE status IN ('assigned', 'working') UNION ALL
          SELECT MIN(lease_until_unix_ms) FROM tasks WHERE status IN ('assigned', 'working') UNION ALL
          SELECT MIN(not_before_unix_ms) FROM tasks WHERE status = 'retry_wait' OR (status = 'queued' AND not_before_unix_ms > ?1))
        """, row => row.NumberOrNull(0), pass.AtUnixMs).FirstOrDefault());

    /// <summary>Takes a message of an agent about a task once. The answer is for <c>task_ack</c>; a refusal is for <c>error</c>.</summary>
    public async Task<Answer> TakeAsync(string agentId, TaskMessage message, Func<TaskRecord, long, (TaskChange? Change, string Status)> decide)
    {
        var answer = await store.CommitAsync(db =>
        {
            var task = TaskStore.Find(db, message.TaskId);
            var counted = message.Generation ?? task?.Generation ?? 0;
            var refusal = TaskRules.Refuse(task, agentId, message.Generation);
            var known = message.MessageId is { } id ? TaskStore.AnswerTo(db, message.TaskId, counted, id) : null;
            if (known is not null && message.Fits(known))
            {
                ShowSign(db, refusal is null ? task : null);
                return new Answer(known, null, Repeated: true);
            }

            if (refusal is not null)
            {
                return new Answer(null, refusal, Repeated: false);
            }

            var (change, status) = decide(task!, Now);
            if (change is not null)
            {
                TaskStore.Save(db, change);
            }
            else
            {
                ShowSign(db, task);
            }

            if (message.MessageId is not null)
            {
                TaskStore.Take(db, message.TaskId, counted, message.MessageId, status, Now);
            }

            return new Answer(status, null, Repeated: false);
        });
        Changed?.Invoke();
        return answer;
    }

    /// <summary>Renews the lease of what an agent says it is working on. What it had until the lease ended is its own again, where no other agent was asked.</summary>
    public Task RenewAsync(string agentId, IReadOnlyCollection<(string TaskId, long Generation)> runs) => runs.Count == 0 ? Task.CompletedTask : store.CommitAsync(db =>
    {
        foreach (var (taskId, generation) in runs)
        {
            if (TaskStore.Find(db, taskId) is { } task && TaskRules.Refuse(task, agentId, generation) is null)
            {
                Renew(db, task);
            }
        }

        return true;
    });

    /// <summary>Changes a task by hand; null where the rule does not allow it in the task's status.</summary>
    public async Task<(bool Found, TaskChange? Change, TaskRecord? Before)> ChangeAsync(string taskId, Func<TaskRecord, long, TaskChange?> decide)
    {
        var outcome = await store.CommitAsync(db =>
        {
            var task = TaskStore.Find(db, taskId);
            var change = task is null ? null : decide(task, Now);
            if (change is not null)
            {
                TaskStore.Save(db, change);
            }

            return (task is not null, change, task);
        });
        Changed?.Invoke();
        return outcome;
    }

    public List<TaskRecord> HeldBy(string agentId) => store.Read(db => TaskStore.HeldBy(db, agentId));

    public (TaskRecord Task, List<HistoryEntry> History)? Show(string id) => store.Read(db =>
        TaskStore.Find(db, id) is { } task ? (task, TaskStore.History(db, id)) : ((TaskRecord, List<HistoryEntry>)?)null);

    public List<TaskRecord> List(string? status = null, int? priority = null, string? assignedTo = null, int limit = 1000) =>
        store.Read(db => TaskStore.List(db, status, priority, assignedTo, limit));

    /// <summary>The newest, without what is large of them; for pages and alerts.</summary>
    public List<TaskRecord> Brief(string? status, int limit) => store.Read(db => TaskStore.Brief(db, status, limit));

    public Dictionary<string, long> Counts() => store.Read(TaskStore.CountByStatus);

    /// <summary>The decision about a finished task, in the form that <see cref="TakeAsync"/> wants.</summary>
    public (TaskChange? Change, string Status) Complete(TaskRecord task, SidecarMessage.TaskComplete message, long now)
    {
        var change = TaskRules.Complete(task, message,
            message.Result is null ? null : JsonSerializer.Serialize(message.Result, WireJson.Wire.TaskResult),
            message.VerificationReport is null ? null : JsonSerializer.Serialize(message.VerificationReport, WireJson.Wire.VerificationReport), now, options);
        return (change, change.Task.Status == TaskStatus.Completed ? "complete" : Word(change));
    }

    public (TaskChange? Change, string Status) Fail(TaskRecord task, string error, long now)
    {
        var change = TaskRules.Failed(task, error, now, options);
        return (change, Word(change));
    }

    private void Renew(Db db, TaskRecord task)
    {
        if (task.IsHeld)
        {
            TaskStore.Save(db, TaskRules.Renew(task, Now, options));
        }
        else
        {
            TaskStore.Save(db, TaskRules.Accepted(task, Now, options)!);
        }
    }

    // A message that changes nothing else still says that its run is alive.
    private void ShowSign(Db db, TaskRecord? task)
    {
        if (task is { Status: TaskStatus.Working })
        {
            TaskStore.Save(db, TaskRules.Renew(task, Now, options));
        }
    }

    private async Task ChangeSilentlyAsync(string agentId, Func<TaskRecord, TaskRecord> change)
    {
        if (HeldBy(agentId).All(task => change(task) == task))
        {
            return;
        }

        await store.CommitAsync(db =>
        {
            foreach (var (before, after) in TaskStore.HeldBy(db, agentId).Select(task => (task, change(task))))
            {
                if (after != before)
                {
                    TaskStore.Save(db, after);
                }
            }

            return true;
        });
        Changed?.Invoke(); // A deadline has come or gone.
    }

    private static string Word(TaskChange change) => change.Task.Status == TaskStatus.DeadLetter ? "dead_letter" : "retried";
}

/// <summary>What a pass gave away, and the moment that it decided by: a later look at the clock would miss what fell due in between.</summary>
internal sealed record AssignPass(List<(string AgentId, HubMessage.TaskAssign Assign)> Assigned, long AtUnixMs, long AtTimestamp);

/// <summary>What an agent's message came to.</summary>
internal sealed record Answer(string? Status, string? Refusal, bool Repeated);
