using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>A run as the columns of its row. Made before the commit, so that a run without such a form is known by its id and spoils no other.</summary>
internal sealed record RunRow(Run Run, string Assignment, string Facts)
{
    public string RunId => Run.Id;

    /// <exception cref="UnsavableRunException">Its assignment or its facts cannot be written as JSON.</exception>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever stops one run from being written concerns that run alone.")]
    public static RunRow Of(Run run)
    {
        try
        {
            FaultPoints.At(FaultPoint.SaveReduced);
            if (run.Assignment.Description is not null)
            {
                FaultPoints.At(FaultPoint.Save);
            }

            return new RunRow(run, JsonSerializer.Serialize(run.Assignment, WireJson.Wire.TaskAssign), JsonSerializer.Serialize(run.Facts, RunJson.Default.RunFacts));
        }
        catch (Exception fault)
        {
            throw new UnsavableRunException(run.Id, fault);
        }
    }

    /// <summary>Writes the row, new or again. Task, nonce and assignment never change after the first time.</summary>
    /// <exception cref="UnsavableRunException">The row of this name is another run's.</exception>
    public void Upsert(Db db)
    {
        if (Write(db) == 0)
        {
            throw new UnsavableRunException(Run.Id, new InvalidOperationException($"the name {Run.Id} is another run's"));
        }
    }

    private int Write(Db db) => db.Execute(
        """
        INSERT INTO runs (run_id, task_id, generation, state, nonce, profile, assignment, wake_attempt, pid, start_ticks, boot_id, facts,
                          created_at_unix_ms, state_since_unix_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        ON CONFLICT (run_id) DO UPDATE SET generation = ?3, state = ?4, profile = ?6, wake_attempt = ?8, pid = ?9, start_ticks = ?10, boot_id = ?11,
                          facts = ?12, state_since_unix_ms = ?14
        WHERE task_id = ?2 AND nonce = ?5
        """,
        Run.Id, Run.TaskId, Run.Generation, Run.State.Word(), Run.Nonce, Run.Profile.Name, Assignment, Run.WakeAttempt,
        Run.Process?.Pid, Run.Process?.StartTicks, Run.Process?.BootId, Facts, Run.CreatedAtUnixMs, Run.StateSinceUnixMs);
}
