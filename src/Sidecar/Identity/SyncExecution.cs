using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Identity;

/// <summary>Carries a plan out: the same steps for a sync, a rollback, an undo, and for what a crash left of any of them.</summary>
internal sealed class SyncExecution(
    IdentityPaths paths, IdentitySources sources, SyncJournal journal, ReplacedFiles replaced, SyncRecords records, ContactsBook contacts, ServiceRestart services, TimeProvider time)
{
    /// <summary>Keeps what the plan will replace; a copy that cannot be made refuses the sync before it begins.</summary>
    public void KeepForeign(SyncPlan plan, IReadOnlyDictionary<string, SealedFile> files) => new IdentityWriter(paths, sources, journal, replaced, files).KeepForeign(plan, paths.Tree);

    /// <summary>Runs the plan that is in the journal. Any step may have been done before.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(SyncPlan plan, ITreeMethod method, IReadOnlyDictionary<string, SealedFile> files, CancellationToken token)
    {
        var identity = new IdentityWriter(paths, sources, journal, replaced, files);
        identity.KeepForeign(plan, paths.Tree);
        await method.PlaceAsync(plan, identity, token);
        CrashPoints.At(CrashPointName.SyncPlaced);
        var restored = identity.Write(plan, paths.Tree);
        CrashPoints.At(CrashPointName.IdentityWritten);
        var notes = plan.Kind == SyncPlan.Forward ? await contacts.MergeAsync(plan.Commit!, token) : [];
        identity.RefreshBackups(plan, paths.Tree);
        CrashPoints.At(CrashPointName.IdentityBackedUp);
        await VerifyAsync(plan, method, identity, token);
        DirectorySync.FlushFileSystem(paths.Tree + "/.");
        CrashPoints.At(CrashPointName.SyncVerified);
        notes = [.. notes, .. await RestartAsync(plan, token)];
        CrashPoints.At(CrashPointName.SyncRestarted);
        notes = [.. notes, .. identity.Kept.Select(kept => $"what stood there before is kept in {kept}")];
        Record(plan, [.. identity.Foreign.Union(restored)], identity.Kept);
        CrashPoints.At(CrashPointName.SyncRecorded);
        journal.Drop();
        CrashPoints.At(CrashPointName.SyncDone);
        return notes;
    }

    private static async Task VerifyAsync(SyncPlan plan, ITreeMethod method, IdentityWriter identity, string tree, CancellationToken token)
    {
        if ((identity.Difference(plan, tree) ?? identity.BackupDifference(plan)) is { } foreign)
        {
            throw new SidecarException($"identity_not_restored: {foreign}", "look at who else writes there; nothing was recorded");
        }

        if (await method.DifferenceAsync(plan, token) is { } wrong)
        {
            throw new SidecarException($"the tree is not what was asked for: {wrong}", "look at who else writes there, and at the disk");
        }
    }

    private Task VerifyAsync(SyncPlan plan, ITreeMethod method, IdentityWriter identity, CancellationToken token) => VerifyAsync(plan, method, identity, paths.Tree, token);

    // There is nothing to go back to from an undo: a service that fails even then is the operator's.
    private async Task<IReadOnlyList<string>> RestartAsync(SyncPlan plan, CancellationToken token)
    {
        try
        {
            await services.RunAsync(token);
            return [];
        }
        catch (RestartFailedException fault) when (plan.Kind == SyncPlan.Undo)
        {
            return [fault.Message];
        }
    }

    private void Record(SyncPlan plan, IReadOnlyList<string> restored, IReadOnlyList<string> kept)
    {
        var (before, now) = (records.Read(), time.GetUtcNow().ToUnixTimeMilliseconds());
        var happened = new List<(string, string)>();
        if (plan.Collisions.Count > 0)
        {
            happened.Add((SyncEvent.Collision, $"the upstream carries {string.Join(", ", plan.Collisions)} of its own at {plan.Commit}; ours stayed, theirs was not written"));
        }

        if (restored.Count > 0)
        {
            happened.Add((SyncEvent.Restored, $"{string.Join(", ", restored)} was not this agent's and is again{(kept.Count > 0 ? $"; what stood there is kept in {Path.GetDirectoryName(kept[0])}" : "")}"));
        }

        happened.Add(plan.Kind switch
        {
            SyncPlan.Forward => (SyncEvent.Synced, $"{paths.Tree} is at {plan.Commit}, before at {plan.FromCommit ?? "an unknown version"}"),
            SyncPlan.Rollback => (SyncEvent.RolledBack, $"{paths.Tree} is back at {plan.Commit ?? "the version before"}, on request"),
            _ => (SyncEvent.RolledBack, $"{paths.Tree} is back at {plan.Commit ?? "the version before"}: {plan.FromCommit ?? "the new one"} was undone"),
        });
        var record = plan.Kind == SyncPlan.Undo
            ? before with { Avoid = plan.FromCommit }
            : before with
            {
                Now = Point(plan.Commit, plan.ToTree, plan.Directory),
                Previous = before.Now is { } current && current.Tree == plan.ToTree && current.Directory == plan.Directory ? before.Previous // The crash came after the record.
                    : Point(plan.FromCommit, plan.BeforeTree, plan.FromDirectory),
                Avoid = plan.Kind == SyncPlan.Rollback ? plan.FromCommit : null,
            };
        records.Write(records.With(record, [.. happened]));

        SyncPoint Point(string? commit, string tree, string? directory) => new() { Commit = commit, Tree = tree, Method = plan.Method, Directory = directory, AtUnixMs = now };
    }
}
