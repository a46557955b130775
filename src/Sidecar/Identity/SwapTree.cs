using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>Puts a version into a new directory with the identity already in it, and then turns the link: one instant, no half tree.</summary>
/// <remarks>May get wrong: a program that has the old directory open goes on writing there. What was written up to the turn, and by those
/// who had a file open for a moment, is carried over; what is written later is not, so such programs belong into <c>identity.restart</c>. Files that git does not know stay in the old directory.</remarks>
internal sealed class SwapTree(SidecarConfig config, IdentityPaths paths, UpstreamRepository repository, OldTrees old, TimeProvider time) : ITreeMethod
{
    public string Name => SyncMethod.Swap;

    public string Directory => Path.GetFullPath(File.ResolveLinkTarget(paths.Tree, returnFinalTarget: true)?.FullName ?? paths.Tree);

    public Task<string?> ObstacleAsync(string fromTree, string toTree, CancellationToken token) => Task.FromResult<string?>(null);

    // A directory that we did not make is never removed, so nothing in it needs to be rescued where git cannot say what is new.
    public async Task<string> FoundAsync(SyncState from, string toTree, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        if (from.Commit is null && !OldTrees.IsOurs(paths, Directory))
        {
            return from.Tree;
        }

        var index = repository.NewName("index");
        await repository.InAsync(Directory, index, token, "read-tree", from.Tree);
        await repository.TryInAsync(Directory, index, token, "update-index", "-q", "--refresh");
        await repository.AddKnownAsync(Directory, index, from.Tree, token);

        // Ignored files may be large and are made anew by most programs; they are rescued when the directory is removed.
        var unknown = new UnknownFiles(repository);
        await unknown.AddAsync(Directory, index, await unknown.ListAsync(Directory, index, untouchable, ignored: false, token), token);
        return await repository.InAsync(Directory, index, token, "write-tree");
    }

    public async Task PlaceAsync(SyncPlan plan, IdentityWriter identity, CancellationToken token)
    {
        var (target, from) = (plan.Directory!, Directory);
        if (from == target)
        {
            await identity.FollowTurnedAsync(plan, plan.FromDirectory!, target, certain: false, time, token); // A crash came after the turn.
            return;
        }

        if (plan.Kind == SyncPlan.Forward)
        {
            await StageAsync(plan, target, token);
        }

        // The identity goes in before anybody can see the directory; once more right before the turn, for what the agent wrote meanwhile.
        identity.Overlay(plan, target);
        identity.Follow(plan, from, target);
        CrashPoints.At(CrashPointName.SyncOverlaid);
        if (plan.Kind == SyncPlan.Forward && await DifferenceAsync(plan, token) is { } wrong)
        {
            throw new SidecarException($"the staged version is not right: {wrong}", "look at the disk; the tree was not touched");
        }

        if (identity.Difference(plan, target) is { } foreign)
        {
            throw new SidecarException($"identity_not_restored: {foreign}", "look at the disk; the tree was not touched");
        }

        DirectorySync.FlushFileSystem(target);
        identity.Follow(plan, from, target);
        CrashPoints.At(CrashPointName.SyncTurning);
        SymbolicLink.Turn(paths.Tree, target);
        CrashPoints.At(CrashPointName.SyncTurned);
        await identity.FollowTurnedAsync(plan, from, target, certain: true, time, token);
    }

    public async Task<string?> DifferenceAsync(SyncPlan plan, CancellationToken token)
    {
        if (plan.Kind != SyncPlan.Forward)
        {
            return null; // A directory that is gone back to is left exactly as it was.
        }

        var index = repository.NewName("index");
        await repository.InAsync(plan.Directory!, index, token, "read-tree", plan.ToTree);
        await repository.TryInAsync(plan.Directory!, index, token, "update-index", "-q", "--refresh");
        return await repository.Fresh().UnlikeAsync(plan.Directory!, index, plan.ToTree, token) is [var unlike, ..] ? $"{GitNames.Show(unlike)} is not what the version has" : null;
    }

    // What could not be finished goes at once: it may have filled the disk, and to take the plan back needs room.
    private async Task StageAsync(SyncPlan plan, string target, CancellationToken token)
    {
        using var guard = new FloorGuard(config, time, token);
        try
        {
            await old.RemoveAsync(target, token);
            System.IO.Directory.CreateDirectory(target);
            if (PathFacts.Of(plan.FromDirectory!) is { } before)
            {
                File.SetUnixFileMode(target, before.Mode);
            }

            var index = repository.NewName("index");
            await repository.InAsync(target, index, guard.Token, "read-tree", plan.ToTree);
            await repository.InAsync(target, index, guard.Token, "checkout-index", "--all", "--force", "--quiet");
        }
        catch (Exception fault) when ((fault is SidecarException or IOException or OperationCanceledException) && !token.IsCancellationRequested)
        {
            await old.RemoveAsync(target, token);
            throw guard.Reason is { } reason ? new GitException(GitFaults.DiskFull, reason, "free space on the state directory's disk; half of selfTest.diskFloorBytes is never used for a version") : fault;
        }

        CrashPoints.At(CrashPointName.SyncStaged);
    }
}
