using System.Text.Json;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Runs and their outbox rows in SQLite. One call to <see cref="SaveAsync"/> is one commit.</summary>
internal sealed class RunStore(Store store, WakeOptions wake)
{
    public const int ApplicationId = 0x464C5453; // "FLTS"

    /// <summary>Puts runs, new messages and acknowledgements into one commit. Returns after it is on disk.</summary>
    public Task SaveAsync(RunDraft draft) =>
        store.CommitAsync(db =>
        {
            foreach (var run in draft.Changed)
            {
                Upsert(db, run);
            }

            foreach (var message in draft.Added)
            {
                Insert(db, message);
            }

            foreach (var messageId in draft.Removed)
            {
                db.Execute("DELETE FROM outbox WHERE message_id = ?1", messageId);
            }

            if (draft.Intake is { } intake)
            {
                SaveIntake(db, intake);
            }

            foreach (var (profile, breaker) in draft.Breakers.Changed)
            {
                SaveBreaker(db, profile, breaker);
            }

            return true;
        });

    /// <summary>Everything that is not settled, oldest first.</summary>
    public List<Run> LoadOpen() => [.. store.Read(db => db.Query(
        """
        SELECT run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
               created_at_unix_ms, state_since_unix_ms
        FROM runs WHERE state <> 'settled' ORDER BY created_at_unix_ms
        """, TryReadRun)).OfType<Run>()];

    /// <summary>Open rows that mean nothing to this program, put out of the way in one commit with their incidents: their tasks must be able to come again. Their ids.</summary>
    public async Task<IReadOnlyList<string>> SetUnreadableAsideAsync(long now)
    {
        var readable = LoadOpen().Select(run => run.Id).ToHashSet();
        var unreadable = store.Read(db => db.Query("SELECT run_id FROM runs WHERE state <> 'settled'", row => row.Text(0))).Where(id => !readable.Contains(id)).ToList();
        foreach (var id in unreadable)
        {
            await store.CommitAsync(db => db.Execute("UPDATE runs SET state = 'settled' WHERE run_id = ?1", id) + Insert(db, new Incident
            {
                Code = "run_unreadable", Timestamp = now, Detail = $"the store's row of {id} could not be read and was set aside; its agent is ended and its task comes again",
            }));
        }

        return unreadable;
    }

    /// <summary>The newest runs, settled ones too.</summary>
    public List<Run> LoadRecent(int count) => [.. store.Read(db => db.Query(
        """
        SELECT run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
               created_at_unix_ms, state_since_unix_ms
        FROM runs ORDER BY created_at_unix_ms DESC, run_id LIMIT ?1
        """, TryReadRun, count)).OfType<Run>()];

    /// <summary>The settled run of a task and generation, where there is one.</summary>
    public Run? FindSettled(string taskId, long generation) => store.Read(db => db.Query(
        """
        SELECT run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
               created_at_unix_ms, state_since_unix_ms
        FROM runs WHERE task_id = ?1 AND generation >= ?2 AND state = 'settled' ORDER BY generation DESC LIMIT 1
        """, TryReadRun, taskId, generation).FirstOrDefault());

    public List<OutboxMessage> LoadOutbox() => store.Read(db => db.Query(
        "SELECT message_id, run_id, task_id, kind, payload, created_at_unix_ms FROM outbox ORDER BY position",
        row => new OutboxMessage(row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Text(4), row.Number(5))));

    public IntakeState LoadIntake() => store.Read(db => db.Query(
        "SELECT mode, reason, since_unix_ms, until_unix_ms FROM intake",
        row => new IntakeState(IntakeRules.Parse(row.Text(0)), row.TextOrNull(1), row.Number(2), row.NumberOrNull(3))).FirstOrDefault()) ?? IntakeState.Open;

    public List<Breaker> LoadBreakers() => store.Read(db => db.Query(
        "SELECT profile, failures, opened_at_unix_ms, probe_run_id, last_code FROM breakers",
        row => new Breaker(row.Text(0), (int)row.Number(1), row.NumberOrNull(2), row.TextOrNull(3), row.Text(4))));

    public Task AddIncidentAsync(Incident incident) => store.CommitAsync(db => Insert(db, incident));

    /// <summary>Replaces what there is of one code about one subject (how its detail begins); null only takes it away.</summary>
    public Task PutIncidentAsync(string code, string subject, Incident? incident) => store.CommitAsync(db =>
        db.Execute("DELETE FROM incidents WHERE code = ?1 AND substr(detail, 1, length(?2)) = ?2", code, subject) + (incident is null ? 0 : Insert(db, incident)));

    /// <summary>The newest incidents, at most 20.</summary>
    public List<Incident> LoadIncidents() => store.Read(db => db.Query(
        "SELECT code, detail, at_unix_ms FROM incidents ORDER BY at_unix_ms DESC LIMIT 20",
        row => new Incident { Code = row.Text(0), Detail = row.Text(1), Timestamp = row.Number(2) }));

    private static void Upsert(Db db, Run run) => db.Execute(
        """
        INSERT INTO runs (run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
                          created_at_unix_ms, state_since_unix_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        ON CONFLICT (run_id) DO UPDATE SET generation = ?3, state = ?4, profile = ?6, wake_attempt = ?8, pid = ?9, start_ticks = ?10, boot_id = ?11,
                          facts = ?12, state_since_unix_ms = ?14
        """,
        run.Id, run.TaskId, run.Generation, run.State.Word(), run.Nonce, run.Profile.Name,
        JsonSerializer.Serialize(run.Assignment, WireJson.Wire.TaskAssign), run.WakeAttempt,
        run.Process?.Pid, run.Process?.StartTicks, run.Process?.BootId,
        JsonSerializer.Serialize(run.Facts, RunJson.Default.RunFacts), run.CreatedAtUnixMs, run.StateSinceUnixMs);

    private static void Insert(Db db, OutboxMessage message) => db.Execute(
        """
        INSERT INTO outbox (message_id, run_id, task_id, kind, payload, created_at_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (message_id) DO UPDATE SET payload = ?5
        """,
        message.MessageId, message.RunId, message.TaskId, message.Kind, message.Payload, message.CreatedAtUnixMs);

    private static int Insert(Db db, Incident incident) =>
        db.Execute("INSERT INTO incidents (code, detail, at_unix_ms) VALUES (?1, ?2, ?3)", incident.Code, incident.Detail, incident.Timestamp);

    private static void SaveIntake(Db db, IntakeState intake) => db.Execute(
        """
        INSERT INTO intake (id, mode, reason, since_unix_ms, until_unix_ms) VALUES (1, ?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET mode = ?1, reason = ?2, since_unix_ms = ?3, until_unix_ms = ?4
        """,
        IntakeRules.Word(intake.Mode), intake.Reason, intake.SinceUnixMs, intake.UntilUnixMs);

    private static void SaveBreaker(Db db, string profile, Breaker? breaker)
    {
        db.Execute("DELETE FROM breakers WHERE profile = ?1", profile);
        if (breaker is not null)
        {
            db.Execute("INSERT INTO breakers (profile, failures, opened_at_unix_ms, probe_run_id, last_code) VALUES (?1, ?2, ?3, ?4, ?5)",
                profile, breaker.Failures, breaker.OpenedAtUnixMs, breaker.ProbeRunId, breaker.LastCode);
        }
    }

    private Run? TryReadRun(Row row)
    {
        try
        {
            return ReadRun(row);
        }
        catch (Exception meaningless) when (meaningless is JsonException or KeyNotFoundException or InvalidCastException or NotSupportedException)
        {
            return null;
        }
    }

    private Run ReadRun(Row row) => new()
    {
        Id = row.Text(0),
        TaskId = row.Text(1),
        Generation = row.Number(2),
        State = RunStates.Parse(row.Text(3)),
        Nonce = row.Text(4),
        Profile = ProfileNamed(row.Text(5)),
        Assignment = JsonSerializer.Deserialize(row.Text(6), WireJson.Wire.TaskAssign) ?? throw new JsonException(),
        WakeAttempt = (int)row.Number(7),
        Process = row.NumberOrNull(8) is { } pid ? new ProcessIdentity((int)pid, row.Number(9), row.Text(10)) : null,
        Facts = JsonSerializer.Deserialize(row.Text(11), RunJson.Default.RunFacts) ?? throw new JsonException(),
        CreatedAtUnixMs = row.Number(12),
        StateSinceUnixMs = row.Number(13),
    };

    // A profile may have been renamed while its run goes on; the first one is then the best guess for how the agent behaves.
    private WakeProfile ProfileNamed(string name) => wake.Profiles.FirstOrDefault(profile => profile.Name == name) ?? wake.Profiles[0];
}
