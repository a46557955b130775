using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>One call of git for a <see cref="FreshCheckout"/>.</summary>
/// <param name="WorkTree">The directory with the files.</param>
/// <param name="Index">The index to be used.</param>
/// <param name="More">Variables of git's own besides.</param>
/// <param name="AsTheyLie">No attribute counts: every file is what it is, byte for byte. Objects are written where <paramref name="More"/> says.</param>
/// <param name="Arguments">The command.</param>
internal sealed record TreeCall(string WorkTree, string Index, Dictionary<string, string> More, bool AsTheyLie, string[] Arguments);

/// <summary>Says which files of a work tree are what a fresh checkout of a version gives, although git calls them modified.</summary>
/// <remarks>Git asks what a commit would store. Where the attributes of a version do not fit its files (line ends that were never
/// renormalised, keywords, encodings), that is not what the version holds, in a checkout that nobody has touched. Here git makes the
/// checkout once more, in a directory beside, and the bytes are compared. A file that git-lfs put in the place of its pointer is right as well.</remarks>
/// <param name="git">Runs git; see <see cref="TreeCall"/>.</param>
/// <param name="objects">Where the objects of the version are.</param>
/// <param name="tools">Removes what was made.</param>
/// <param name="scratch">A directory to be made and removed.</param>
internal sealed class FreshCheckout(Func<TreeCall, CancellationToken, Task<ToolOutcome>> git, string objects, ToolRunner tools, string scratch)
{
    // A checkout beside takes room; a part of it at a time takes little.
    private const int AtOnce = 1000;

    // What is only compared needs no object in any store.
    private static readonly string[] NoObjects = ["--info-only"];

    private string Beside => Path.Combine(scratch, "files");

    /// <summary>Names of a version that are missing in a work tree, or are not what a fresh checkout gives.</summary>
    /// <param name="workTree">The directory with the files.</param>
    /// <param name="index">An index of the version, refreshed.</param>
    /// <param name="version">Its tree.</param>
    /// <param name="token">Ends git.</param>
    /// <exception cref="GitException">It cannot be told.</exception>
    public Task<IReadOnlyList<string>> UnlikeAsync(string workTree, string index, string version, CancellationToken token) =>
        WithScratchAsync<IReadOnlyList<string>>(async () =>
        {
            var (present, missing) = await ChangedAsync(workTree, index, token);
            return missing.Count > 0 || present.Count == 0 ? missing : (await CompareAsync(workTree, version, present, missing, token)).Unlike;
        }, token);

    /// <summary>Writes whatever <see cref="UnlikeAsync"/> names, byte for byte as a fresh checkout has it: attributes of somebody else that lie in the work tree do not count.</summary>
    /// <param name="workTree">The directory with the files.</param>
    /// <param name="index">An index of the version, refreshed.</param>
    /// <param name="version">Its tree.</param>
    /// <param name="every">Compares every file, also those that git calls unchanged: it does so where an attribute that is new asks for an encoding.</param>
    /// <param name="token">Ends git.</param>
    public Task RestoreAsync(string workTree, string index, string version, bool every, CancellationToken token) =>
        WithScratchAsync(async () =>
        {
            var (present, missing) = await ChangedAsync(workTree, index, token);
            if (every)
            {
                var all = await ListAsync(workTree, index, asTheyLie: false, token, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", "--ignore-submodules=all", Git.EmptyTree, version);
                present = [.. all.Except(missing, StringComparer.Ordinal)];
            }

            if (present.Count + missing.Count > 0 && await CompareAsync(workTree, version, present, missing, token) is { Unlike.Count: > 0 } compared)
            {
                await CheckOutAsync(compared.CheckoutIndex, compared.ExpectedIndex, compared.Unlike, [], token);
                await FeedAsync(workTree, compared.ExpectedIndex, compared.Unlike, asTheyLie: true, token, "checkout-index", "--force", "--quiet", "-z", "--stdin");
            }

            return 0;
        }, token);

    /// <summary>Tells an index not to look at files that are right, so that <c>git add</c> leaves them as the version has them. Right is also what has the very bytes that the version holds.</summary>
    public Task PassOverAsync(string workTree, string index, string version, CancellationToken token) =>
        WithScratchAsync(async () =>
        {
            if (await ChangedAsync(workTree, index, token) is not { Present: { Count: > 0 } present } || !await HasAttributesAsync(workTree, index, token))
            {
                return 0;
            }

            var compared = await CompareAsync(workTree, version, present, [], token);
            var stored = await DifferAsync(workTree, version, compared.RealTree, token);
            var changed = compared.Unlike.Intersect(stored, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal);
            changed.ExceptWith(await KeptByLfsAsync(workTree, compared.CheckoutIndex, [.. changed], token));
            await FeedAsync(workTree, index, [.. present.Where(name => !changed.Contains(name))], asTheyLie: false, token, "update-index", "--assume-unchanged", "-z", "--stdin");
            return 0;
        }, token);

    private async Task<T> WithScratchAsync<T>(Func<Task<T>> work, CancellationToken token)
    {
        await TreeRemoval.RemoveAsync(tools, scratch, token); // From before a crash.
        PrivateDirectory.Make(scratch);
        try
        {
            return await work();
        }
        finally
        {
            await TreeRemoval.RemoveAsync(tools, scratch, CancellationToken.None);
        }
    }

    /// <param name="Unlike">Names that differ from the fresh checkout.</param>
    /// <param name="CheckoutIndex">An index of the version.</param>
    /// <param name="ExpectedIndex">An index of the bytes of the fresh checkout, without the objects.</param>
    /// <param name="RealTree">A tree of the bytes that lie there.</param>
    private sealed record Comparison(IReadOnlyList<string> Unlike, string CheckoutIndex, string ExpectedIndex, string RealTree);

    // What git calls modified, and what is not there. Repositories inside are for NestedRepositories.
    private async Task<(IReadOnlyList<string> Present, IReadOnlyList<string> Missing)> ChangedAsync(string workTree, string index, CancellationToken token)
    {
        var listed = await ListAsync(workTree, index, asTheyLie: false, token, "diff-files", "-z", "--name-status", "--ignore-submodules=all");
        var pairs = listed.Chunk(2).Select(pair => (IsMissing: pair[0] == "D", Name: pair[^1])).ToList();
        return ([.. pairs.Where(pair => !pair.IsMissing).Select(pair => pair.Name)], [.. pairs.Where(pair => pair.IsMissing).Select(pair => pair.Name)]);
    }

    // Where there are none, git changes no byte of a file, and what it calls modified is.
    private async Task<bool> HasAttributesAsync(string workTree, string index, CancellationToken token) =>
        (await MustAsync(new TreeCall(workTree, index, [], AsTheyLie: false, ["ls-files", "--cached", "--others", "--", ":(top,glob)**/.gitattributes"]), token)).Output.Length > 0;

    // Both sides as trees of what lies there, byte for byte: then a name that is no text, a link and a mode are git's to compare.
    private async Task<Comparison> CompareAsync(string workTree, string version, IReadOnlyList<string> present, IReadOnlyList<string> missing, CancellationToken token)
    {
        var (checkout, expected, real) = (Path.Combine(scratch, "checkout-index"), Path.Combine(scratch, "expected-index"), Path.Combine(scratch, "real-index"));
        PrivateDirectory.Make(Beside);
        PrivateDirectory.Make(Path.Combine(scratch, "objects"));
        await MustAsync(new TreeCall(Beside, checkout, [], AsTheyLie: false, ["read-tree", version]), token);
        await MustAsync(new TreeCall(Beside, expected, Apart(), AsTheyLie: true, ["read-tree", version]), token);
        await CheckOutAsync(checkout, expected, [.. present, .. missing], NoObjects, token);
        await MustAsync(new TreeCall(workTree, real, Apart(), AsTheyLie: true, ["read-tree", version]), token);
        var kept = present.ToLookup(name => FactsOf(workTree, name) is { Kind: PathKind.File or PathKind.Link }); // Git would wait at a pipe, and refuses a socket.
        await FeedAsync(workTree, real, [.. missing, .. kept[false]], asTheyLie: true, token, "update-index", "--force-remove", "-z", "--stdin");
        await FeedAsync(workTree, real, [.. kept[true]], asTheyLie: true, token, ["update-index", .. NoObjects, "--remove", "-z", "--stdin"]);
        var realTree = await TreeAsync(workTree, real);
        return new Comparison(await DifferAsync(workTree, await TreeAsync(Beside, expected), realTree, token), checkout, expected, realTree);

        async Task<string> TreeAsync(string directory, string index) => (await MustAsync(new TreeCall(directory, index, Apart(), AsTheyLie: true, ["write-tree", "--missing-ok"]), token)).Output.Trim();
    }

    // Files of the version as a fresh checkout has them, taken byte for byte into an index.
    private async Task CheckOutAsync(string version, string taken, IReadOnlyList<string> names, string[] options, CancellationToken token)
    {
        foreach (var some in names.Chunk(AtOnce))
        {
            await FeedAsync(Beside, version, some, asTheyLie: false, token, "checkout-index", "--force", "--quiet", "-z", "--stdin");
            await FeedAsync(Beside, taken, some, asTheyLie: true, token, ["update-index", .. options, "--remove", "-z", "--stdin"]);
            await TreeRemoval.RemoveAsync(tools, Beside, token);
            PrivateDirectory.Make(Beside);
        }
    }

    // Files whose pointer the version has: the checkout beside has the pointers, because no filter runs there.
    private async Task<IReadOnlyList<string>> KeptByLfsAsync(string workTree, string version, IReadOnlyList<string> names, CancellationToken token)
    {
        var kept = new List<string>();
        foreach (var some in names.Chunk(AtOnce))
        {
            await FeedAsync(Beside, version, some, asTheyLie: false, token, "checkout-index", "--force", "--quiet", "-z", "--stdin");
            foreach (var name in some)
            {
                var path = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name)); // One that is no text is not found, and counts as changed.
                if (await LfsPointers.StandsForAsync(Path.Combine(Beside, path), Path.Combine(workTree, path), token))
                {
                    kept.Add(name);
                }
            }

            await TreeRemoval.RemoveAsync(tools, Beside, token);
            PrivateDirectory.Make(Beside);
        }

        return kept;
    }

    private static PathFacts? FactsOf(string directory, string name) => PathFacts.Of([.. Encoding.UTF8.GetBytes(directory + "/"), .. Encoding.Latin1.GetBytes(name), 0]);

    private async Task<IReadOnlyList<string>> DifferAsync(string workTree, string one, string other, CancellationToken token) =>
        await ListAsync(workTree, Path.Combine(scratch, "real-index"), asTheyLie: true, token, "diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other);

    // Nothing of this is to stay: the version's own store is only read.
    private Dictionary<string, string> Apart() => new() { ["GIT_OBJECT_DIRECTORY"] = Path.Combine(scratch, "objects"), ["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = objects };

    private async Task FeedAsync(string workTree, string index, IReadOnlyList<string> names, bool asTheyLie, CancellationToken token, params string[] arguments)
    {
        if (names.Count > 0)
        {
            var list = Path.Combine(scratch, "names");
            NameList.Write(list, names);
            await MustAsync(new TreeCall(workTree, index, new(asTheyLie ? Apart() : []) { [Git.InputFile] = list }, asTheyLie, arguments), token);
        }
    }

    private async Task<string[]> ListAsync(string workTree, string index, bool asTheyLie, CancellationToken token, params string[] arguments)
    {
        var list = Path.Combine(scratch, "listed");
        await MustAsync(new TreeCall(workTree, index, asTheyLie ? Apart() : [], asTheyLie, [arguments[0], $"--output={list}", .. arguments[1..]]), token);
        return await NameList.ReadAsync(list, token);
    }

    private async Task<ToolOutcome> MustAsync(TreeCall call, CancellationToken token) =>
        await git(call, token) is var done && done.Ok ? done : throw GitFaults.Explain(call.Arguments, done);
}
