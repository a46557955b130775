using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Identity;

/// <summary>Puts a version into a new directory with the identity already in it, and then turns the link: one instant, no half tree.</summary>
/// <remarks>May get wrong: a program that has the old directory open goes on writing there. What it wrote up to the turn is carried over;
/// what it writes later is not, so such programs belong into <c>identity.restart</c>. Files that git does not know stay in the old directory.</remarks>
internal sealed class SwapTree(IdentityPaths paths, UpstreamRepository repository, ToolRunner tools) : ITreeMethod
{
    private static readonly TimeSpan RemoveLimit = TimeSpan.FromMinutes(10);

    public string Name => SyncMethod.Swap;

    public string Directory => Path.GetFullPath(File.ResolveLinkTarget(paths.Tree, returnFinalTarget: true)?.FullName ?? paths.Tree);

    public Task<string?> ObstacleAsync(string fromTree, string toTree, CancellationToken token) => Task.FromResult<string?>(null);

    // A directory that we did not make is never removed, so nothing in it needs to be rescued where git cannot say what is new.
    public async Task<string> FoundAsync(SyncState from, string toTree, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        if (from.Commit is null && !IsOurs(Directory))
        {
            return from.Tree;
        }

        var index = repository.NewName("index");
        await repository.InAsync(Directory, index, token, "read-tree", from.Tree);
        await repository.TryInAsync(Directory, index, token, "update-index", "-q", "--refresh");
        await repository.InAsync(Directory, index, token, ["add", "-A", "--", ":/", .. untouchable.Select(path => $":(top,exclude,glob){path}")]);
        return await repository.InAsync(Directory, index, token, "write-tree");
    }

    public async Task PlaceAsync(SyncPlan plan, IdentityWriter identity, CancellationToken token)
    {
        var (target, from) = (plan.Directory!, Directory);
        if (from == target)
        {
            identity.Follow(plan, plan.FromDirectory!, target); // A crash came after the turn.
            return;
        }

        if (plan.Kind == SyncPlan.Forward)
        {
            await StageAsync(plan, target, token);
        }

        // The identity goes in before anybody can see the directory; once more right before the turn, for what the agent wrote meanwhile.
        identity.Overlay(plan, target);
        identity.Follow(plan, from, target);
        CrashPoints.At("sync_overlaid");
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
        CrashPoints.At("sync_turning");
        SymbolicLink.Turn(paths.Tree, target);
        CrashPoints.At("sync_turned");
        identity.Follow(plan, from, target);
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
        var compared = await repository.TryInAsync(plan.Directory!, index, token, "diff-files", "--name-only", "--ignore-submodules=all");
        return compared.Ok && compared.Output.Length == 0 ? null : $"{compared.Output.Split('\n')[0]}{compared.Error} is not what the version has";
    }

    /// <summary>Removes versions of our own making that are neither in force nor the one before.</summary>
    public async Task PruneAsync(IReadOnlyCollection<string?> kept, CancellationToken token)
    {
        if (System.IO.Directory.Exists(paths.Trees))
        {
            foreach (var old in System.IO.Directory.GetDirectories(paths.Trees).Where(path => IsOurs(path) && !kept.Contains(path)))
            {
                await RemoveAsync(old, token);
            }
        }
    }

    /// <summary>The directory of a version of ours: a commit and a time.</summary>
    public string NameFor(string commit, DateTimeOffset now) => Path.Combine(paths.Trees, $"{commit[..12]}-{now:yyyyMMdd'T'HHmmssfff}");

    private async Task StageAsync(SyncPlan plan, string target, CancellationToken token)
    {
        await RemoveAsync(target, token);
        System.IO.Directory.CreateDirectory(target);
        if (PathFacts.Of(plan.FromDirectory!) is { } old)
        {
            File.SetUnixFileMode(target, old.Mode);
        }

        var index = repository.NewName("index");
        await repository.InAsync(target, index, token, "read-tree", plan.ToTree);
        await repository.InAsync(target, index, token, "checkout-index", "--all", "--force", "--quiet");
        CrashPoints.At("sync_staged");
    }

    private bool IsOurs(string path) => Path.GetDirectoryName(path) == Path.GetFullPath(paths.Trees) && Path.GetFileName(path).Split('-') is [{ Length: 12 }, { Length: 18 }];

    // Not the framework's own way: it cannot name a file whose name is no text.
    private async Task RemoveAsync(string path, CancellationToken token)
    {
        if (PathFacts.Of(path) is not null)
        {
            var environment = new Dictionary<string, string> { ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin", [UpstreamRepository.Mark] = paths.Home };
            var outcome = await tools.RunAsync(["rm", "-rf", "--", path], environment, "/", RemoveLimit, token);
            if (!outcome.Ok)
            {
                throw new SidecarException($"cannot remove {path}: {outcome.Error.Trim()}", "remove it by hand");
            }
        }
    }
}
