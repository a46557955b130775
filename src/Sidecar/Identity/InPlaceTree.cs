using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>Brings a directory that must stay where it is to a version. Git works from an index that has no identity path, so it cannot touch one.</summary>
/// <remarks>May get wrong: while git works the code is partly old and partly new, and a crash leaves it so until the next start; the identity
/// is whole at every instant. Files that git does not know are never removed: where a new version needs their name, they are rescued first
/// (a file) or the sync is refused (a directory, or a file where a directory must be). Attributes that somebody left in the directory count as git counts them: where
/// they ask for other line ends, the version's files get those.</remarks>
internal sealed class InPlaceTree(IdentityPaths paths, UpstreamRepository repository) : ITreeMethod
{
    private const string Attributes = ".gitattributes";
    private const long LeastSpace = 1024 * 1024; // Git says which file it could not write, not why.

    public string Name => SyncMethod.InPlace;

    public string Directory => paths.Tree;

    public async Task<string?> ObstacleAsync(string fromTree, string toTree, CancellationToken token)
    {
        var gone = (await repository.ChangedAsync(fromTree, toTree, "DT", token)).ToHashSet(StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in await repository.ChangedAsync(fromTree, toTree, "ADMT", token))
        {
            if (Parents(name).FirstOrDefault(parent => FactsOf($"{parent}/.git") is not null) is { } nested)
            {
                return $"{GitNames.Show(nested)} is a repository of its own, and the new version has or had files in it";
            }
        }

        foreach (var name in await repository.ChangedAsync(fromTree, toTree, "AT", token))
        {
            foreach (var parent in Parents(name))
            {
                if (seen.Add(parent) && FactsOf(parent) is { Kind: not PathKind.Directory } && !gone.Contains(parent))
                {
                    return $"{GitNames.Show(parent)} is no directory, and the new version needs one there";
                }
            }

            if (FactsOf(name) is { Kind: PathKind.Directory } && await HoldsStrangersAsync(name, fromTree, token))
            {
                return $"{GitNames.Show(name)} is a directory with files that git does not know, and the new version needs a file there";
            }
        }

        return null;
    }

    public async Task<string> FoundAsync(SyncState from, string toTree, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        var index = await IndexAsync(from.Tree, token);
        await repository.AddKnownAsync(Directory, index, from.Tree, token);
        var inTheWay = (await repository.ChangedAsync(from.Tree, toTree, "A", token)).Where(name => FactsOf(name) is { Kind: PathKind.File or PathKind.Link }).ToList();
        if (inTheWay.Count > 0)
        {
            var list = repository.NewName("in-the-way");
            NameList.Write(list, inTheWay);
            await repository.AddAsync(Directory, index, token, "--literal-pathspecs", "add", "--force", $"--pathspec-from-file={list}", "--pathspec-file-nul");
        }

        return await repository.InAsync(Directory, index, token, "write-tree");
    }

    public async Task PlaceAsync(SyncPlan plan, IdentityWriter identity, CancellationToken token)
    {
        var index = await IndexAsync(plan.FromTree, token);
        CrashPoints.At(CrashPointName.SyncPlacing);
        var placed = await repository.TryInAsync(Directory, index, token, "read-tree", "--reset", "-u", plan.ToTree);

        // Git counts a file that it could not write as done. One whose encoding it cannot make is written as the version holds it.
        if (!placed.Ok || placed.Error.Split('\n').Any(line => line.Contains("error: ", StringComparison.Ordinal) && !GitFaults.IsAboutEncoding(line)))
        {
            throw DiskSpace.At(Directory).Bytes < LeastSpace ? new GitException(GitFaults.DiskFull, $"No space left for the new version in {Directory}", "free space there, then sync again")
                : GitFaults.Explain(["read-tree"], placed);
        }

        // Git passes over a file of which nothing but its attributes changed, and cannot make what some attributes that somebody left in the directory ask for.
        var otherAttributes = (await repository.ChangedAsync(plan.FromTree, plan.ToTree, "ADMT", token)).Any(name => name == Attributes || name.EndsWith($"/{Attributes}", StringComparison.Ordinal));
        await repository.Fresh().RestoreAsync(Directory, index, plan.ToTree, every: otherAttributes, token);
    }

    public async Task<string?> DifferenceAsync(SyncPlan plan, CancellationToken token)
    {
        var index = await IndexAsync(plan.ToTree, token);
        if (await repository.Fresh().UnlikeAsync(Directory, index, plan.ToTree, token) is [var unlike, ..])
        {
            return $"{GitNames.Show(unlike)} is not what the version has";
        }

        var left = (await repository.ChangedAsync(plan.FromTree, plan.ToTree, "D", token)).FirstOrDefault(name => FactsOf(name) is { Kind: not PathKind.Directory });
        return left is null ? null : $"{GitNames.Show(left)} is still there";
    }

    // A fresh index: every file is read and compared, none is believed by its times.
    private async Task<string> IndexAsync(string tree, CancellationToken token)
    {
        var index = repository.NewName("index");
        await repository.InAsync(Directory, index, token, "read-tree", tree);
        await repository.TryInAsync(Directory, index, token, "update-index", "-q", "--refresh");
        return index;
    }

    private async Task<bool> HoldsStrangersAsync(string name, string fromTree, CancellationToken token)
    {
        var index = repository.NewName("index");
        await repository.InAsync(Directory, index, token, "read-tree", fromTree);
        return (await repository.InAsync(Directory, index, token, "--literal-pathspecs", "ls-files", "--others", "--directory", "--", Text(name))).Length > 0;
    }

    // Names are bytes; see UpstreamRepository.
    private PathFacts? FactsOf(string name) => Parents(name).All(parent => Ask(parent) is { Kind: PathKind.Directory }) ? Ask(name) : null; // What a link leads to is not below it.

    private PathFacts? Ask(string name) => PathFacts.Of([.. Encoding.UTF8.GetBytes(Directory + "/"), .. Encoding.Latin1.GetBytes(name), 0]);

    private static IEnumerable<string> Parents(string name)
    {
        for (var slash = name.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = name.IndexOf('/', slash + 1))
        {
            yield return name[..slash];
        }
    }

    private static string Text(string name) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name));
}
