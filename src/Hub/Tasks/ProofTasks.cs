using System.Security.Cryptography;
using System.Text.Json;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>The no-op tasks by which a machine that was just set up proves its way to the hub and back. An agent may ask for its own and for no other's.</summary>
/// <remarks>Bounded: one open task an agent, so that setup can be run again without heaping them up, and a few an hour.</remarks>
internal sealed class ProofTasks(Store store, TaskQueue queue, TimeProvider time)
{
    private const int MostAnHour = 6;
    private const string Open = "status NOT IN ('completed', 'dead_letter', 'cancelled')";
    private const string Description = "Onboarding check: there is nothing to do. Say 'fleet-sidecar task start', then 'fleet-sidecar task complete --output ok', and change nothing.";
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    /// <summary>The agent's open task, or a new one; null where it had enough of them lately.</summary>
    /// <param name="agent">For whom, and for nobody else.</param>
    /// <param name="wakeAgent">Wake the real agent; else the sidecar plays it, and no model is asked.</param>
    public async Task<TaskRecord?> AskAsync(string agent, bool wakeAgent)
    {
        var by = SubmitterOf(agent);
        var found = await store.CommitAsync(db =>
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            if (db.Query($"SELECT task_id FROM tasks WHERE submitted_by = ?1 AND {Open} LIMIT 1", row => row.Text(0), by).FirstOrDefault() is { } open)
            {
                return TaskStore.Find(db, open);
            }

            if (db.Number("SELECT COUNT(*) FROM tasks WHERE submitted_by = ?1 AND created_at_unix_ms > ?2", by, now - (long)Window.TotalMilliseconds) >= MostAnHour)
            {
                return null;
            }

            var task = new TaskRecord
            {
                Id = $"task-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}", Status = TaskStatus.Queued, Priority = Priorities.Parse("high")!.Value,
                Spec = new TaskSpec { Description = Description, Metadata = Metadata(wakeAgent), MaxRetries = 0, AssignTo = agent, SkipVerification = true },
                SubmittedBy = by, CreatedAt = now, UpdatedAt = now,
            };
            TaskStore.Save(db, new TaskChange(task, "queued", "asked for by the agent's own setup"));
            return task;
        });
        queue.Changed?.Invoke();
        return found;
    }

    /// <summary>One of the agent's own proofs with its history; null for whatever else has that id.</summary>
    public (TaskRecord Task, List<HistoryEntry> History)? Show(string agent, string id) =>
        queue.Show(id) is { } found && found.Task.SubmittedBy == SubmitterOf(agent) ? found : null;

    // No token's name holds a colon, so nobody else submits under this one.
    private static string SubmitterOf(string agent) => $"onboard:{agent}";

    private static JsonElement Metadata(bool wakeAgent) => OutsideJson.Element(wakeAgent ? """{"onboarding":true}"""u8 : """{"onboarding":true,"noop":true}"""u8)!.Value;
}
