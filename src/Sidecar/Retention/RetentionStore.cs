using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Retention;

/// <summary>What retention reads and removes in the store. Rows of the outbox are never removed here: the hub's acknowledgement does that.</summary>
internal sealed class RetentionStore(Store store)
{
    /// <summary>Most incidents that are kept; the newest.</summary>
    public const int MaxIncidents = 200;

    private const int RowsAtOnce = 16;

    // A row that this version cannot read, or that has no text to cut, is not tried with each look.
    private readonly HashSet<string> _stayLong = [];

    // Below this much free room in the file it is not worth writing it again.
    private const long LeastFreeBytes = 1024 * 1024;

    /// <summary>Every settled run, without what the directory says.</summary>
    public List<RetainedRun> Settled() => store.Read(db => db.Query(
        """
        SELECT run_id, task_id, state_since_unix_ms, length(assignment) + length(facts),
               EXISTS (SELECT 1 FROM outbox WHERE outbox.run_id = runs.run_id)
        FROM runs WHERE state = 'settled'
        """,
        row => new RetainedRun(row.Text(0), row.Text(1), row.Number(2), FileBytes: 0, RowBytes: row.Number(3), HasFiles: false, HasRow: true,
            Hold: row.Number(4) != 0 ? RetentionHold.Hub : null)));

    /// <summary>Ids of the runs that are not settled.</summary>
    public HashSet<string> Open() => [.. store.Read(db => db.Query("SELECT run_id FROM runs WHERE state <> 'settled'", row => row.Text(0)))];

    /// <summary>Tasks that have a run that is not settled.</summary>
    public HashSet<string> OpenTasks() => [.. store.Read(db => db.Query("SELECT task_id FROM runs WHERE state <> 'settled'", row => row.Text(0)))];

    /// <summary>Removes rows in one commit; one that is not settled, or not acknowledged by now, stays.</summary>
    public Task<int> RemoveAsync(IReadOnlyCollection<string> runs) => store.CommitAsync(db => runs.Sum(run => db.Execute(
        "DELETE FROM runs WHERE run_id = ?1 AND state = 'settled' AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.run_id = ?1)", run)));

    /// <summary>Shortens the long rows of settled runs whose last message has arrived, a few in each commit; see <see cref="ShortRow"/>.</summary>
    /// <param name="factsToo">Also what the run found out: the disk is near its floor.</param>
    public async Task ShortenAsync(bool factsToo)
    {
        var found = Long(factsToo);
        _stayLong.IntersectWith(found);
        foreach (var batch in found.Where(run => !_stayLong.Contains(run)).Chunk(RowsAtOnce))
        {
            var done = await store.CommitAsync(db => batch.Where(run => Shorten(db, run, factsToo)).ToList());
            _stayLong.UnionWith(batch.Except(done));
        }
    }

    private List<string> Long(bool factsToo) => store.Read(db => db.Query(
        """
        SELECT run_id FROM runs WHERE state = 'settled' AND (length(assignment) > ?1 OR (?2 AND length(facts) > ?1))
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.run_id = runs.run_id)
        """,
        row => row.Text(0), ShortRow.Length, factsToo ? 1 : 0));

    private static bool Shorten(Db db, string run, bool factsToo)
    {
        var row = db.Query("SELECT assignment, facts FROM runs WHERE run_id = ?1", row => (Assignment: row.Text(0), Facts: row.Text(1)), run)[0];
        var (assignment, facts) = (ShortRow.OfAssignment(row.Assignment), factsToo ? ShortRow.OfFacts(row.Facts) : null);
        return (assignment?.Length ?? row.Assignment.Length) + (facts?.Length ?? row.Facts.Length) < row.Assignment.Length + row.Facts.Length
            && db.Execute("UPDATE runs SET assignment = ?2, facts = ?3 WHERE run_id = ?1", run, assignment ?? row.Assignment, facts ?? row.Facts) == 1;
    }

    /// <summary>How many other runs a task has.</summary>
    public long CountOthers(string task, string run) => store.Read(db => db.Number("SELECT COUNT(*) FROM runs WHERE task_id = ?1 AND run_id <> ?2", task, run));

    /// <summary>Removes what has no owner any more: incidents beyond the newest, and breakers of profiles that the configuration does not have.</summary>
    public async Task TrimAsync(IReadOnlyCollection<string> profiles)
    {
        var strangers = store.Read(db => db.Query("SELECT profile FROM breakers", row => row.Text(0))).Where(profile => !profiles.Contains(profile)).ToList();
        var incidents = store.Read(db => db.Number("SELECT COUNT(*) FROM incidents"));
        if (strangers.Count == 0 && incidents <= MaxIncidents)
        {
            return;
        }

        await store.CommitAsync(db => strangers.Sum(profile => db.Execute("DELETE FROM breakers WHERE profile = ?1", profile)) + db.Execute(
            "DELETE FROM incidents WHERE rowid NOT IN (SELECT rowid FROM incidents ORDER BY at_unix_ms DESC, rowid DESC LIMIT ?1)", MaxIncidents));
    }

    /// <summary>Bytes of the file, and how many of them are free for new rows.</summary>
    public (long Bytes, long Free) Size() => store.Size();

    /// <exception cref="StoreUnavailableException">There is no room for it now; nothing has changed.</exception>
    public bool Shrink() => store.Shrink(LeastFreeBytes);
}
