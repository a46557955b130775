using System.Diagnostics.CodeAnalysis;
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
    /// <exception cref="UnsavableRunException">One run has no form that can be stored; nothing of the draft is on disk.</exception>
    public Task SaveAsync(RunDraft draft)
    {
        var rows = draft.Changed.Select(RunRow.Of).ToList();
        return store.CommitAsync(db =>
        {
            foreach (var (runId, reason) in draft.Forgotten)
            {
                Close(db, runId, "run_set_aside", draft.Now, $"{runId} could not be handled and was set aside; its agent is ended: {reason}");
            }

            // What is over first: a task has one live run, in the middle of a commit too.
            foreach (var row in rows.OrderByDescending(row => row.Run.State.IsFinal()))
            {
                Write(row.RunId, () => row.Upsert(db));
            }

            foreach (var message in draft.Added)
            {
                Write(message.RunId, () => Insert(db, message));
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
    }

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
            await store.CommitAsync(db => Close(db, id, "run_unreadable", now,
                $"the store's row of {id} could not be read and was set aside; its agent is ended and its task comes again"));
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

    /// <summary>One run, settled or not; null where there is no row of it, or none that means anything to this program.</summary>
    public Run? Find(string id) => store.Read(db => db.Query(
        """
        SELECT run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
               created_at_unix_ms, state_since_unix_ms
        FROM runs WHERE run_id = ?1
        """, TryReadRun, id)).FirstOrDefault();

    /// <summary>Settled runs of a task, newest generation first; at most 20.</summary>
    public IReadOnlyList<Run> FindSettled(string taskId) => [.. store.Read(db => db.Query(
        """
        SELECT run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
               created_at_unix_ms, state_since_unix_ms
        FROM runs WHERE task_id = ?1 AND state = 'settled' ORDER BY generation DESC LIMIT 20
        """, TryReadRun, taskId)).OfType<Run>()];

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

    private static void Write(string runId, Action write)
    {
        try
        {
            write();
        }
        catch (RowRefusedException fault)
        {
            throw new UnsavableRunException(runId, fault);
        }
    }

    private static int Close(Db db, string runId, string code, long now, string detail) =>
        db.Execute("DELETE FROM outbox WHERE run_id = ?1", runId)
        + db.Execute("UPDATE runs SET state = 'settled' WHERE run_id = ?1", runId)
        + Insert(db, new Incident { Code = code, Timestamp = now, Detail = Printable.Cut(detail, 1000) });

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

    [SuppressMessage("Design", "CA1031", Justification = "A row whose content cannot be read is set aside alone; the other runs go on.")]
    private Run? TryReadRun(Row row)
    {
        try
        {
            return ReadRun(row);
        }
        catch (Exception meaningless) when (meaningless is not StoreUnavailableException and not OutOfMemoryException)
        {
            return null;
        }
    }

    private Run ReadRun(Row row)
    {
        var facts = OutsideJson.Read(row.Text(11), RunJson.Default.RunFacts, out var bad) ?? throw new JsonException(bad);
        return new Run
        {
            Id = row.Text(0),
            TaskId = row.Text(1),
            Generation = row.Number(2),
            State = RunStates.Parse(row.Text(3)),
            Nonce = row.Text(4),
            Profile = ProfileOf(row.Text(5), facts.WokenWith),
            Assignment = OutsideJson.Read(row.Text(6), WireJson.Wire.TaskAssign, out bad) ?? throw new JsonException(bad),
            WakeAttempt = (int)row.Number(7),
            Process = row.NumberOrNull(8) is { } pid ? new ProcessIdentity((int)pid, row.Number(9), row.Text(10)) : null,
            Facts = facts,
            CreatedAtUnixMs = row.Number(12),
            StateSinceUnixMs = row.Number(13),
        };
    }

    // An agent that was started is judged by what it was started with. Before that it gets the profile of its name; where that was renamed meanwhile, the first one.
    private WakeProfile ProfileOf(string name, WokenWith? woken)
    {
        var named = NoopProfile.Is(name) ? NoopProfile.Profile : wake.Profiles.FirstOrDefault(profile => profile.Name == name);
        return woken?.Profile is { } started && !NoopProfile.Is(name) ? started.WithVariablesOf(named) : named ?? wake.Profiles[0];
    }
}
