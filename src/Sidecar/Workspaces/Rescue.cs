using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Saves whatever an attempt left that the origin does not hold: files, commits on any branch, stashes, commits that it threw away.</summary>
/// <remarks>One commit holds it all: its tree is the files as they lie there, its parents are HEAD and the ends of every line of work
/// that was not pushed. Doing it again finds the same, or adds to it; nothing on the origin is overwritten.</remarks>
internal sealed class Rescue(SidecarConfig config, Origin origin, ToolRunner tools, TimeProvider time)
{
    private const int MostParents = 200, MostCommits = 20_000;

    private static readonly (string Place, string What)[] Elsewhere =
    [
        ("worktrees", "the clone has work trees of its own elsewhere"),
        ("modules", "it holds repositories of submodules, whose work is not looked at"),
    ];

    /// <summary>Looks, saves and pushes.</summary>
    /// <param name="directory">The workspace.</param>
    /// <param name="mark">Its mark.</param>
    /// <param name="ask">Asks the origin what these names are there, or says why it cannot be asked.</param>
    /// <param name="token">Gives up; nothing is lost, the next call does it all again.</param>
    /// <returns>What was found, and why it is not on the origin yet, where the origin cannot be asked or refuses.</returns>
    /// <exception cref="GitException">The clone could not be looked at. It is as it was.</exception>
    public async Task<(RescueNote Note, GitException? Problem)> SaveAsync(string directory, WorkspaceMark mark, Func<string[], Task<(RemoteRefs? Refs, GitException? Unasked)>> ask, CancellationToken token)
    {
        var (work, now) = (Clones.WorkOf(directory), time.GetUtcNow().ToUnixTimeMilliseconds());
        var ended = mark.Rescue?.EndedAtUnixMs ?? now;
        if (!Directory.EnumerateFileSystemEntries(directory).Any(path => !IsOurs(path)))
        {
            return (new RescueNote(now, ended, null, Pushed: true, Kept: null), null); // The agent took its clone away; nothing is left here.
        }

        if ((Ruin(work) ?? await WorkTraps.FindAsync(tools, work, config.Workspace.GitTimeout, token)) is { } ruin)
        {
            return (new RescueNote(now, ended, null, Pushed: false, ruin), null);
        }

        GitLeftovers.Remove(Path.Combine(work, ".git")); // Of the last look, where a time limit ended it.
        GitLocks.RemoveWhereSeen(Path.Combine(work, ".git"), "refs", "fleet");
        var name = RefNames.Rescue(mark.TaskId, mark.Generation);
        var (refs, unasked) = await ask([$"refs/heads/{mark.Branch}", RefNames.Attempts(mark.TaskId), name]);
        var known = new HashSet<string> { mark.Base };
        foreach (var commit in refs?.All.Values.Distinct() ?? [])
        {
            if ((await origin.AskAsync(work, token, "cat-file", "-e", $"{commit}^{{commit}}")).ExitCode == 0)
            {
                known.Add(commit);
            }
        }

        var head = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")).Output.Trim();
        using var guard = new FloorGuard(config, time, token, "work was being saved", fromAbove: true);
        var snapshot = await Snapshot.TakeAsync(origin, tools, guard, work, head, Path.Combine(directory, "rescue.index"), token);
        var headTree = await TreeOfAsync(work, head, token);
        var earlier = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", $"{name}^{{commit}}")).Output.Trim();

        // Its date is the run's beginning, so that a second look makes the same commit.
        var index = snapshot.Staged is { } staged && staged != headTree && staged != snapshot.Tree ? await CommitAsync(work, mark, "What was staged", staged, head.Length > 0 ? [head] : [], mark.BeganAtUnixMs, token) : null;
        var (ends, unseen) = await UnpushedEndsAsync(directory, work, index, [.. known, .. earlier.Length > 0 ? new[] { earlier } : []], token);
        var changed = snapshot.Tree != (earlier.Length > 0 ? await TreeOfAsync(work, earlier, token) : headTree);
        var commitToKeep = ends.Count == 0 && !changed ? earlier
            : await KeepAsync(work, name, await CommitAsync(work, mark, $"Work that generation {mark.Generation} of {mark.TaskId} left behind", snapshot.Tree,
                [.. new[] { head, earlier }.Where(parent => parent.Length > 0), .. await GatherAsync(work, mark, snapshot.Tree, [.. ends.Where(end => end != head)], token)], ended, token), token);
        var note = new RescueNote(now, ended, commitToKeep.Length > 0 ? commitToKeep : null, Pushed: false, snapshot.Kept ?? unseen ?? await BesideAsync(directory, work, mark.Base, token));
        if (note.Commit is null)
        {
            return (note with { Pushed = unasked is null }, unasked);
        }

        if (!config.Workspace.PushRescue)
        {
            return (note with { Kept = note.Kept ?? "workspace.pushRescue is off" }, null);
        }

        if (unasked is { IsPassing: true })
        {
            return (note, unasked); // Saved here; a push would wait for the same silence.
        }

        try
        {
            if (refs?[name] != commitToKeep)
            {
                await origin.RunAsync(work, token, "push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", "--", mark.Repository, $"{commitToKeep}:{name}");
                refs = await origin.RefsAsync(mark.Repository, token, name);
            }

            return (note with { Pushed = refs[name] == commitToKeep }, null);
        }
        catch (GitException fault)
        {
            return (note, fault);
        }
    }

    // A clone that cannot be looked at as one.
    private string? Ruin(string work) =>
        Clones.Displaced(work) ?? GitView.Complaint(Path.Combine(work, ".git"), Mirrors.DirectoryOf(config));

    // Work that is in the directory, and not in the clone's own files and history.
    private async Task<string?> BesideAsync(string directory, string work, string start, CancellationToken token)
    {
        if (Directory.EnumerateFileSystemEntries(directory).FirstOrDefault(path => path != work && !IsOurs(path)) is { } other)
        {
            return $"'{Printable.Cut(Path.GetFileName(other), 100)}' lies beside the clone";
        }

        foreach (var (place, what) in Elsewhere)
        {
            var path = Path.Combine([work, ".git", .. place.Split('/')]);
            if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            {
                return what;
            }
        }

        if (await LfsPointers.OnlyHereAsync(origin, work, start, token) is { } objects)
        {
            return objects;
        }

        // Git passes over whatever is called .git; find(1) knows no name that it could not look at.
        var found = await tools.RunAsync(["find", ".", "-path", "./.git", "-prune", "-o", "-iname", ".git", "-print", "-quit"], new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" }, work, config.Workspace.GitTimeout, token);
        return !found.Ok ? $"not every directory could be looked into: {Printable.Cut(found.Error.Split('\n')[0], 200)}"
            : found.Output.Trim() is { Length: > 0 } nested ? $"'{Printable.Cut(nested, 100)}' is a repository of its own, whose work is not looked at"
            : null;
    }

    private static bool IsOurs(string path) =>
        Path.GetFileName(path) is var name && (name.StartsWith(WorkspaceMark.FileName, StringComparison.Ordinal) || name.StartsWith("rescue.", StringComparison.Ordinal) || name.StartsWith("verify.", StringComparison.Ordinal) || name == GitView.Name);

    // The mirror's refs are what the origin had at its last fetch: other tasks' branches came with the clone and are nobody's work here.
    // The youngest commit of each line that no known commit holds: of branches, tags, stashes and reflogs, and of commits that nothing names any more.
    private async Task<(List<string> Ends, string? Unseen)> UnpushedEndsAsync(string directory, string work, string? index, string[] known, CancellationToken token)
    {
        var own = await origin.OwnCommitsAsync(work, Path.Combine(directory, "rescue.objects"), token);
        var all = own is { Count: <= MostCommits };
        string[] list = ["rev-list", "--parents", "--exclude=refs/fleet/*", "--all", "--reflog", "--ignore-missing", .. all ? own! : [], .. index is null ? [] : new[] { index }, "--not", .. known, "--alternate-refs"];
        var outcome = await origin.AskAsync(work, token, list);
        var lines = outcome.Ok ? outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToList() : throw GitFaults.Explain(list, outcome);
        var parents = lines.SelectMany(line => line.Skip(1)).ToHashSet();
        return ([.. lines.Select(line => line[0]).Where(commit => !parents.Contains(commit))],
            all && outcome.Output.Length < ToolRunner.OutputLimit ? null : $"it holds more than {MostCommits} commits of its own, and what no branch names was not looked for");
    }

    // A commit takes only so many parents: of more lines of work, each group gets a commit in between.
    private async Task<IReadOnlyList<string>> GatherAsync(string work, WorkspaceMark mark, string tree, IReadOnlyList<string> ends, CancellationToken token)
    {
        while (ends.Count > MostParents)
        {
            var groups = new List<string>();
            foreach (var group in ends.Chunk(MostParents))
            {
                groups.Add(await CommitAsync(work, mark, $"{group.Length} lines of work", tree, group, mark.BeganAtUnixMs, token));
            }

            ends = groups;
        }

        return ends;
    }

    private async Task<string> TreeOfAsync(string work, string commit, CancellationToken token) =>
        commit.Length == 0 ? Git.EmptyTree : (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", $"{commit}^{{tree}}")).Output.Trim();

    private async Task<string> CommitAsync(string work, WorkspaceMark mark, string subject, string tree, IReadOnlyList<string> parents, long at, CancellationToken token)
    {
        var author = new Dictionary<string, string>();
        foreach (var role in new[] { "AUTHOR", "COMMITTER" })
        {
            author[$"GIT_{role}_NAME"] = "fleet-sidecar";
            author[$"GIT_{role}_EMAIL"] = "fleet-sidecar@fleet.invalid";
            author[$"GIT_{role}_DATE"] = $"@{at / 1000} +0000";
        }

        string[] make =
        [
            "commit-tree", tree, .. parents.Distinct().SelectMany(parent => new[] { "-p", parent }),
            "-m", subject, "-m", $"Fleet-Task: {mark.TaskId}\nFleet-Generation: {mark.Generation}\nFleet-Run: {mark.RunId}\nFleet-Agent: {Printable.Cut(mark.Agent, 128)}",
        ];
        var made = await origin.TryAsync(work, author, token, make);
        return made.Ok ? made.Output.Trim() : throw GitFaults.Explain(make, made);
    }

    private async Task<string> KeepAsync(string work, string name, string commit, CancellationToken token)
    {
        string[] keep = ["update-ref", name, commit];
        return await origin.AskAsync(work, token, keep) is { Ok: false } refused ? throw GitFaults.Explain(keep, refused) : commit;
    }
}
