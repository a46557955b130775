using System.Globalization;
using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>A bare repository of our own with the upstream's history and what was rescued. The tree's own <c>.git</c>, where there is one, is never written.</summary>
/// <remarks>Versions are compared as trees without identity paths, so that git, which only ever gets to see those, cannot write one.
/// Lists of names are read as bytes, one letter a byte (Latin-1): names need not be text.</remarks>
internal sealed class UpstreamRepository(SidecarConfig config, IdentityPaths paths, Git git, ToolRunner tools, TimeProvider time)
{
    /// <summary>In the environment of every git of ours, so that one whose sync was killed is found.</summary>
    public const string Mark = "FLEET_IDENTITY_HOME";

    // Of at most 400 characters: Linux takes two megabytes.
    private const int MostNamesOfACall = 500;

    // Some three million files. What has more does not fit anywhere.
    private const int RoomForSizes = 16_000_000, BlockSize = 4096;

    private int _files;

    /// <summary>Fetches the branch and says which commit is meant.</summary>
    /// <exception cref="SidecarException">It cannot be fetched, or the pinned commit is not part of the branch, or its signature is not good.</exception>
    public async Task<string> FetchAsync(string? pinned, CancellationToken token)
    {
        var upstream = config.Identity.Upstream;
        if (upstream.Url.Length == 0)
        {
            throw new ConfigurationException("identity.upstream.url is missing", "name the repository that the tree's code comes from");
        }

        await EnsureAsync(token);
        var fetched = await FetchBranchAsync(upstream, token);
        if (!fetched.Ok && GitFaults.Classify(fetched) == GitFaults.Damaged)
        {
            // Kept for what was rescued into it. Whatever it knew of the tree's version is asked of the tree itself.
            Directory.Move(paths.Repository, $"{paths.Repository}.damaged-{Guid.NewGuid():N}");
            await EnsureAsync(token);
            fetched = await FetchBranchAsync(upstream, token);
        }

        if (!fetched.Ok)
        {
            throw fetched.Error.Contains("couldn't find remote ref", StringComparison.Ordinal)
                ? new GitException(GitFaults.NoBranch, $"the upstream has no branch {upstream.Branch}", "mend identity.upstream.branch")
                : GitFaults.Explain(["fetch"], fetched);
        }

        var head = await git.RunAsync(paths.Repository, Marked(), token, "rev-parse", "--verify", $"refs/upstream/{upstream.Branch}^{{commit}}");
        var commit = head;
        if ((pinned ?? upstream.Commit) is { } asked)
        {
            var found = await git.TryAsync(paths.Repository, Marked(), token, "rev-parse", "--verify", "--quiet", $"{asked}^{{commit}}");
            commit = found.Output.Trim();
            if (!found.Ok || !await IsAncestorAsync(commit, head, token))
            {
                throw new SidecarException($"commit {asked} is not part of the upstream's branch {upstream.Branch}", "pin a commit of that branch");
            }
        }

        if (upstream.VerifySignatures && await git.TryAsync(paths.Repository, Marked(), token, "verify-commit", commit) is { Ok: false } unsigned)
        {
            throw new SidecarException($"upstream_unsigned: commit {commit} has no signature that is trusted here: {unsigned.Error.Split('\n')[0]}", "sign it with a key that the service user's git trusts, or set identity.upstream.verifySignatures to false");
        }

        return commit;
    }

    // Above half of the disk's floor alone. What a git that was ended has written is removed at once: the next fetch may be hours away.
    private async Task<ToolOutcome> FetchBranchAsync(UpstreamOptions upstream, CancellationToken token)
    {
        using var guard = new FloorGuard(config, time, token);
        try
        {
            return await git.TryAsync(paths.Repository, Marked(), guard.Token,
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", upstream.Url, $"+refs/heads/{upstream.Branch}:refs/upstream/{upstream.Branch}");
        }
        catch (OperationCanceledException) when (guard.Reason is { } reason && !token.IsCancellationRequested)
        {
            throw new GitException(GitFaults.DiskFull, reason, "free space on the state directory's disk; half of selfTest.diskFloorBytes is never used for a repository");
        }
        finally
        {
            GitLeftovers.Remove(paths.Repository);
        }
    }

    /// <summary>Our own repository, made where there is none. Locks and half-written objects that a killed git left go first: whoever holds ours is alone here.</summary>
    public async Task EnsureAsync(CancellationToken token)
    {
        if (Directory.Exists(paths.Repository))
        {
            GitLocks.Remove(paths.Repository);
            GitLeftovers.Remove(paths.Repository);
            return;
        }

        var beside = Path.Combine(paths.Work, "new.git");
        Directories.Make(beside); // What is rescued is nobody else's to read.
        await git.RunAsync(paths.Home, Marked(), token, "init", "--quiet", "--bare", "--template=", beside);
        Directory.Move(beside, paths.Repository);
    }

    /// <summary>The commit that a tree's own repository is at, fetched where only that one knows it; null where nobody can say. What is configured there is not read.</summary>
    public async Task<string?> CommitOfAsync(string tree, CancellationToken token)
    {
        if (GitView.Complaint(Path.Combine(tree, ".git")) is not null)
        {
            return null; // Also a work tree of a repository elsewhere, which is followed nowhere.
        }

        var view = GitView.Of(Path.Combine(tree, ".git"), Path.Combine(paths.Work, GitView.Name));
        var head = await git.TryAsync(paths.Work, new Dictionary<string, string>(Marked()) { ["GIT_DIR"] = view }, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}");
        return head.Ok && head.Output.Trim() is var commit && (await HasAsync(commit, token) || await FetchFromTreeAsync(view, commit, token)) ? commit : null;
    }

    private async Task<bool> FetchFromTreeAsync(string view, string commit, CancellationToken token) =>
        (await git.TryAsync(paths.Repository, Marked(), token, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", view, "+HEAD:refs/fleet/found")).Ok && await HasAsync(commit, token);

    public async Task<bool> HasAsync(string commit, CancellationToken token) => (await git.TryAsync(paths.Repository, Marked(), token, "cat-file", "-e", $"{commit}^{{tree}}")).Ok;

    public async Task<bool> IsAncestorAsync(string older, string newer, CancellationToken token) =>
        (await git.TryAsync(paths.Repository, Marked(), token, "merge-base", "--is-ancestor", older, newer)).Ok;

    /// <summary>The tree of a version without the paths that are not git's to write.</summary>
    public async Task<string> WithoutAsync(string version, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        var index = NewName("filter");
        await InAsync(paths.Work, index, token, "read-tree", version);
        foreach (var some in untouchable.Chunk(MostNamesOfACall))
        {
            await InAsync(paths.Work, index, token, ["rm", "--cached", "-r", "-q", "-f", "--ignore-unmatch", "--", .. some.Select(path => $":(top,glob){path}")]);
        }

        return await InAsync(paths.Work, index, token, "write-tree");
    }

    /// <summary>What is wrong with a tree that git cannot compare, because names stand there twice or out of order: what it says differs from call to call. Null where it is well.</summary>
    public async Task<string?> DamageAsync(string tree, CancellationToken token)
    {
        var names = await ChangedAsync(Git.EmptyTree, tree, "A", token);
        return Enumerable.Range(1, Math.Max(0, names.Count - 1)).FirstOrDefault(at => string.CompareOrdinal(names[at - 1], names[at]) >= 0) is > 0 and var odd
            ? $"{GitNames.Show(names[odd])} stands there twice or out of order" : null;
    }

    /// <summary>What a tree takes where it is checked out: bytes in blocks of four kilobytes, and files with their directories.</summary>
    public async Task<(long Bytes, long Inodes)> SizeAsync(string tree, CancellationToken token)
    {
        var sizes = await git.TryAsync(paths.Repository, Marked(), RoomForSizes, token, "ls-tree", "-r", "-t", "--format=%(objectsize)", tree);
        if (!sizes.Ok)
        {
            throw GitFaults.Explain(["ls-tree"], sizes);
        }

        var lines = sizes.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return (lines.Sum(line => long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? (size + BlockSize - 1) / BlockSize * BlockSize : BlockSize), lines.Length);
    }

    /// <summary>What a version has at each of some plain paths: <c>tree</c>, <c>blob</c> or <c>commit</c> (a submodule).</summary>
    public async Task<IReadOnlyList<(string Type, string Path)>> LookAsync(string version, IReadOnlyList<string> plain, CancellationToken token)
    {
        var found = new List<(string, string)>();
        foreach (var some in plain.Chunk(MostNamesOfACall))
        {
            var answer = await git.RunAsync(paths.Repository, new Dictionary<string, string>(Marked()) { ["GIT_LITERAL_PATHSPECS"] = "1" }, token, ["ls-tree", "-z", "--full-tree", version, "--", .. some]);
            found.AddRange(answer.Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Trim('\n').Split('\t', 2)).Select(part => (part[0].Split(' ')[1], part[1])));
        }

        return found;
    }

    /// <summary>Names that differ between two trees; <paramref name="filter"/> as in git-diff-tree(1).</summary>
    public async Task<IReadOnlyList<string>> ChangedAsync(string from, string to, string filter, CancellationToken token)
    {
        var list = NewName("names");
        await git.RunAsync(paths.Repository, Marked(), token, "diff-tree", "-r", "-z", "--name-only", "--no-renames", $"--diff-filter={filter}", $"--output={list}", from, to);
        return await NameList.ReadAsync(list, token);
    }

    /// <summary>Keeps a tree for ever, as a commit with a ref.</summary>
    public async Task<string> KeepAsync(string tree, string? parent, string name, string message, CancellationToken token)
    {
        var commit = await git.RunAsync(paths.Repository, Author(), token, ["commit-tree", tree, .. parent is null ? (string[])[] : ["-p", parent], "-m", message]);
        var reference = $"refs/fleet/sync-rescue/{name}";
        await git.RunAsync(paths.Repository, Author(), token, "update-ref", reference, commit);
        return reference;
    }

    /// <summary>Git on a directory, with an index of ours: no configuration but our repository's, so that neither filters nor hooks of anybody run.</summary>
    public Task<string> InAsync(string directory, string index, CancellationToken token, params string[] arguments) => git.RunAsync(directory, In(directory, index), token, arguments);

    /// <summary>Takes every change of what an index knows into it. Repositories that lie in the directory are not asked: their configuration is not ours.</summary>
    /// <param name="directory">The work tree.</param>
    /// <param name="index">An index of the version, refreshed.</param>
    /// <param name="version">Its tree.</param>
    /// <param name="token">Ends git.</param>
    public async Task AddKnownAsync(string directory, string index, string version, CancellationToken token)
    {
        await NestedRepositories.PassOverAsync((room, arguments) => TryInAsync(directory, index, room, token, arguments), directory);
        await Fresh().PassOverAsync(directory, index, version, token);
        await AddAsync(directory, index, token, "add", "-u", "--", ".");
    }

    /// <summary>Runs a <c>git add</c>. An attribute can ask for an encoding that a file does not have: then all of them are taken as they lie.</summary>
    public async Task AddAsync(string directory, string index, CancellationToken token, params string[] add)
    {
        var added = await TryInAsync(directory, index, token, add);
        if (!added.Ok && GitFaults.IsAboutEncoding(added.Error))
        {
            added = await git.TryAsync(directory, new(In(directory, index)) { ["GIT_DIR"] = await AsTheyLieAsync(token), ["GIT_OBJECT_DIRECTORY"] = Objects }, token, add);
        }

        _ = added.Ok ? added : throw GitFaults.Explain(add, added);
    }

    /// <summary>What a fresh checkout of a version would be.</summary>
    public FreshCheckout Fresh() => new(async (call, token) =>
    {
        var variables = In(call.WorkTree, call.Index);
        if (call.AsTheyLie)
        {
            (variables["GIT_DIR"], variables["GIT_CONFIG_VALUE_0"]) = (await AsTheyLieAsync(token), "none"); // Nothing of it is to last.
        }

        foreach (var (name, value) in call.More)
        {
            variables[name] = value;
        }

        return await git.TryAsync(paths.Work, variables, token, call.Arguments);
    }, Objects, tools, NewName("fresh"));

    private string Objects => Path.Combine(paths.Repository, "objects");

    // A repository without objects in which no attribute counts; it goes with the rest of the work directory.
    private async Task<string> AsTheyLieAsync(CancellationToken token)
    {
        var repository = Path.Combine(paths.Work, "as-they-lie.git");
        var attributes = Path.Combine(repository, "info", "attributes");
        if (!File.Exists(attributes))
        {
            await git.RunAsync(paths.Work, Marked(), token, "init", "--quiet", "--bare", "--template=", repository);
            Directories.Make(Path.GetDirectoryName(attributes)!);
            NewFile.Write(attributes, Encoding.ASCII.GetBytes(Origin.AsTheyLie));
        }

        return repository;
    }

    public Task<ToolOutcome> TryInAsync(string directory, string index, CancellationToken token, params string[] arguments) => git.TryAsync(directory, In(directory, index), token, arguments);

    public Task<ToolOutcome> TryInAsync(string directory, string index, int room, CancellationToken token, params string[] arguments) => git.TryAsync(directory, In(directory, index), room, token, arguments);

    /// <summary>A name in the work directory that nobody has.</summary>
    public string NewName(string purpose) => Path.Combine(paths.Work, $"{purpose}-{Interlocked.Increment(ref _files)}");

    private Dictionary<string, string> In(string directory, string index) => new(Author())
    {
        ["GIT_DIR"] = paths.Repository, ["GIT_WORK_TREE"] = directory, ["GIT_INDEX_FILE"] = index,
        ["GIT_CONFIG_GLOBAL"] = "/dev/null", ["GIT_CONFIG_NOSYSTEM"] = "1", ["GIT_ATTR_NOSYSTEM"] = "1", ["XDG_CONFIG_HOME"] = "/dev/null",
    };

    private Dictionary<string, string> Author() => new(Marked())
    {
        ["GIT_AUTHOR_NAME"] = config.Agent.Id, ["GIT_AUTHOR_EMAIL"] = $"{config.Agent.Id}@fleet.invalid",
        ["GIT_COMMITTER_NAME"] = config.Agent.Id, ["GIT_COMMITTER_EMAIL"] = $"{config.Agent.Id}@fleet.invalid",
    };

    // What is rescued must not be lost to a power cut either.
    private Dictionary<string, string> Marked() => new()
    {
        [Mark] = paths.Home, ["GIT_CONFIG_COUNT"] = "1", ["GIT_CONFIG_KEY_0"] = "core.fsync", ["GIT_CONFIG_VALUE_0"] = "committed",
    };
}
