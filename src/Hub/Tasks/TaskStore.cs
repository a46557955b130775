using System.Text.Json;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>Tasks, their history and the messages already taken, in SQL. Every method runs inside a commit or a read of the caller's.</summary>
internal static class TaskStore
{
    /// <summary>Newest lines of history that a task keeps; the API shows 200 of them.</summary>
    public const int KeptHistory = 500;

    /// <summary>Messages of one attempt that are known again: more than an honest agent sends.</summary>
    public const int KeptMessages = 200;

    private const string First = "task_id, status, priority";
    private const string Second = "assigned_to, assigned_at_unix_ms, accept_by_unix_ms, lease_until_unix_ms, not_before_unix_ms, generation, retry_count, last_error";
    private const string Third = "tokens_used, handed_off_by, submitted_by, created_at_unix_ms, updated_at_unix_ms";
    private const string Columns = $"{First}, spec, {Second}, result, verification_report, {Third}";

    // Alerts and the scheduler's rules read the small fields.
    private const string BriefSpec = """
        CASE WHEN length(spec) <= 16384 THEN spec
        ELSE json_remove(
          json_set(spec, '$.description', '(a task of ' || (length(spec) / 1024) || ' KiB: fleet-hub task show ' || task_id || ')'),
          '$.metadata', '$.file_hints', '$.success_criteria', '$.verification_steps', '$.depends_on') END
        """;

    private const string BriefColumns = $"{First}, {BriefSpec}, {Second}, CASE WHEN length(result) <= 4096 THEN result END, NULL, {Third}";

    public static TaskRecord? Find(Db db, string id) =>
        db.Query($"SELECT {Columns} FROM tasks WHERE task_id = ?1", Read, id).FirstOrDefault();

    /// <summary>Due work, fresh work before retries, by priority and age.</summary>
    public static List<TaskRecord> Due(Db db, long now) => db.Query(
        $"""
        SELECT {Columns} FROM tasks WHERE status = 'queued' AND not_before_unix_ms <= ?1
        ORDER BY priority, retry_count > 0, created_at_unix_ms, task_id LIMIT 500
        """, Read, now);

    public static List<TaskRecord> Held(Db db) => db.Query($"SELECT {Columns} FROM tasks WHERE status IN ('assigned', 'working')", Read);

    public static List<TaskRecord> HeldBy(Db db, string agent) =>
        db.Query($"SELECT {Columns} FROM tasks WHERE assigned_to = ?1 AND status IN ('assigned', 'working')", Read, agent);

    public static List<TaskRecord> Waiting(Db db) => db.Query($"SELECT {Columns} FROM tasks WHERE status = 'retry_wait'", Read);

    public static List<TaskRecord> List(Db db, string? status, int? priority, string? assignedTo, int limit) => db.Query(
        $"""
        SELECT {Columns} FROM tasks
        WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR priority = ?2) AND (?3 IS NULL OR assigned_to = ?3)
        ORDER BY updated_at_unix_ms DESC, task_id LIMIT ?4
        """, Read, status, priority, assignedTo, limit);

    /// <summary>The newest, for a page that shows many: what is large of a task stands there as its size alone, so that a page costs the same whatever was submitted.</summary>
    /// <remarks>Not to be stored again: the specification is not whole.</remarks>
    public static List<TaskRecord> Brief(Db db, string? status, int limit) => db.Query(
        $"""
        SELECT {BriefColumns} FROM tasks
        WHERE (?1 IS NULL OR status = ?1)
        ORDER BY updated_at_unix_ms DESC, task_id LIMIT ?2
        """, Read, status, limit);

    public static Dictionary<string, long> CountByStatus(Db db)
    {
        var counts = TaskStatus.All.ToDictionary(status => status, _ => 0L);
        foreach (var (status, count) in db.Query("SELECT status, COUNT(*) FROM tasks GROUP BY status", row => (row.Text(0), row.Number(1))))
        {
            counts[status] = count;
        }

        return counts;
    }

    /// <summary>Ids among the given ones that are not completed tasks.</summary>
    public static bool AllCompleted(Db db, IReadOnlyList<string> ids) =>
        ids.All(id => db.Number("SELECT COUNT(*) FROM tasks WHERE task_id = ?1 AND status = 'completed'", id) == 1);

    /// <summary>Saves a changed task with its line of history. A task keeps its first line, which says who submitted it, and the newest.</summary>
    public static void Save(Db db, TaskChange change)
    {
        Save(db, change.Task);
        db.Execute("INSERT INTO history (task_id, event, at_unix_ms, details) VALUES (?1, ?2, ?3, ?4)",
            change.Task.Id, change.Event, change.Task.UpdatedAt, change.Details);
        db.Execute("DELETE FROM history WHERE task_id = ?1 AND entry > (SELECT MIN(entry) FROM history WHERE task_id = ?1) AND entry <= (SELECT entry FROM history WHERE task_id = ?1 ORDER BY entry DESC LIMIT 1 OFFSET ?2)",
            change.Task.Id, KeptHistory);
    }

    public static void Save(Db db, TaskRecord task) => db.Execute(
        $"""
        INSERT INTO tasks ({Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
        ON CONFLICT (task_id) DO UPDATE SET status = ?2, priority = ?3, assigned_to = ?5, assigned_at_unix_ms = ?6, accept_by_unix_ms = ?7,
          lease_until_unix_ms = ?8, not_before_unix_ms = ?9, generation = ?10, retry_count = ?11, last_error = ?12, result = ?13,
          verification_report = ?14, tokens_used = ?15, handed_off_by = ?16, updated_at_unix_ms = ?19
        """,
        task.Id, task.Status, task.Priority, JsonSerializer.Serialize(task.Spec, HubJson.Compact.TaskSpec), task.AssignedTo, task.AssignedAt, task.AcceptBy,
        task.LeaseUntil, task.NotBefore, task.Generation, task.RetryCount, task.LastError, task.Result, task.VerificationReport, task.TokensUsed,
        string.Join(',', task.HandedOffBy), task.SubmittedBy, task.CreatedAt, task.UpdatedAt);

    public static List<HistoryEntry> History(Db db, string id) => db.Query(
        "SELECT event, at_unix_ms, details FROM history WHERE task_id = ?1 ORDER BY entry DESC LIMIT 200",
        row => new HistoryEntry(row.Text(0), row.Number(1), row.TextOrNull(2)), id);

    /// <summary>The answer that a message got when it was taken, or null where it is new.</summary>
    public static string? AnswerTo(Db db, string taskId, long generation, string messageId) => db.Query(
        "SELECT answer FROM taken WHERE task_id = ?1 AND generation = ?2 AND message_id = ?3", row => row.Text(0), taskId, generation, messageId).FirstOrDefault();

    /// <summary>Remembers a message with its answer. An attempt has a handful; of one that floods the newest are known.</summary>
    public static void Take(Db db, string taskId, long generation, string messageId, string answer, long now)
    {
        db.Execute("INSERT OR REPLACE INTO taken (task_id, generation, message_id, answer, at_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5)", taskId, generation, messageId, answer, now);
        db.Execute("""
            DELETE FROM taken WHERE task_id = ?1 AND generation = ?2 AND message_id IN
              (SELECT message_id FROM taken WHERE task_id = ?1 AND generation = ?2 ORDER BY message_id = ?3 DESC, at_unix_ms DESC LIMIT -1 OFFSET ?4)
            """, taskId, generation, messageId, KeptMessages);
    }

    private static TaskRecord Read(Row row) => new()
    {
        Id = row.Text(0),
        Status = row.Text(1),
        Priority = (int)row.Number(2),
        Spec = OutsideJson.Read(row.Text(3), HubJson.Compact.TaskSpec, out var bad) ?? throw new JsonException(bad),
        AssignedTo = row.TextOrNull(4),
        AssignedAt = row.NumberOrNull(5),
        AcceptBy = row.NumberOrNull(6),
        LeaseUntil = row.NumberOrNull(7),
        NotBefore = row.Number(8),
        Generation = row.Number(9),
        RetryCount = (int)row.Number(10),
        LastError = row.TextOrNull(11),
        Result = row.TextOrNull(12),
        VerificationReport = row.TextOrNull(13),
        TokensUsed = row.NumberOrNull(14),
        HandedOffBy = row.Text(15).Split(',', StringSplitOptions.RemoveEmptyEntries),
        SubmittedBy = row.Text(16),
        CreatedAt = row.Number(17),
        UpdatedAt = row.Number(18),
    };
}

/// <summary>One line of a task's history.</summary>
internal sealed record HistoryEntry(string Event, long Timestamp, string? Details);
