using FleetSidecar.Configuration;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Saves whatever an attempt left that the origin does not hold: files, commits on any branch, stashes, commits that it threw away.</summary>
/// <remarks>One commit holds it all: its tree is the files as they lie there, its parents are HEAD and the ends of every line of work
/// that was not pushed. Doing it again finds the same, or adds to it; nothing on the origin is overwritten.</remarks>
internal sealed class Rescue(SidecarConfig config, Origin origin, TimeProvider time)
{
    private const int MostParents = 200;

    /// <summary>Looks, saves and pushes.</summary>
    /// <param name="directory">The workspace.</param>
    /// <param name="mark">Its mark.</param>
    /// <param name="token">Gives up; nothing is lost, the next call does it all again.</param>
    /// <returns>What was found, and why it is not on the origin yet, where the origin cannot be asked or refuses.</returns>
    /// <exception cref="GitException">The clone could not be looked at. It is as it was.</exception>
    public async Task<(RescueNote Note, GitException? Problem)> SaveAsync(string directory, WorkspaceMark mark, CancellationToken token)
    {
        var (work, now) = (Clones.WorkOf(directory), time.GetUtcNow().ToUnixTimeMilliseconds());
        var ended = mark.Rescue?.EndedAtUnixMs ?? now;
        if (!Directory.EnumerateFileSystemEntries(directory).Any(path => !IsOurs(path)))
        {
            return (new RescueNote(now, ended, null, Pushed: true, Kept: null), null); // The agent took its clone away; nothing is left here.
        }

        if (Ruin(directory, work) is { } ruin)
        {
            return (new RescueNote(now, ended, null, Pushed: false, ruin), null);
        }

        var name = RefNames.Rescue(mark.TaskId, mark.Generation);
        var (refs, unasked) = await AskOriginAsync(mark, name, token);
        var known = new HashSet<string> { mark.Base };
        foreach (var commit in refs?.All.Values.Distinct() ?? [])
        {
            if ((await origin.AskAsync(work, token, "cat-file", "-e", $"{commit}^{{commit}}")).ExitCode == 0)
            {
                known.Add(commit);
            }
        }

        var head = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")).Output.Trim();
        var snapshot = await Snapshot.TakeAsync(origin, work, head, Path.Combine(directory, "rescue.index"), token);
        var earlier = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", $"{name}^{{commit}}")).Output.Trim();
        var ends = await UnpushedEndsAsync(work, [.. known, .. earlier.Length > 0 ? new[] { earlier } : []], token);
        var commitToKeep = earlier.Length > 0 && ends.Count == 0 && await TreeOfAsync(work, earlier, token) == snapshot.Tree ? earlier
            : ends.Count == 0 && snapshot.Tree == await TreeOfAsync(work, head, token) ? earlier
            : await CommitAsync(work, mark, name, snapshot.Tree!, [.. new[] { head, earlier }.Where(parent => parent.Length > 0), .. ends.Where(end => end != head).Take(MostParents)], token);
        var note = new RescueNote(now, ended, commitToKeep.Length > 0 ? commitToKeep : null, Pushed: false, ends.Count > MostParents ? $"more than {MostParents} lines of work" : snapshot.Kept ?? Beside(directory, work));
        if (note.Commit is null)
        {
            return (note with { Pushed = unasked is null }, unasked);
        }

        if (!config.Workspace.PushRescue)
        {
            return (note with { Kept = note.Kept ?? "workspace.pushRescue is off" }, null);
        }

        try
        {
            if (refs?[name] != commitToKeep)
            {
                await origin.RunAsync(work, token, "push", "--quiet", "--no-verify", "--", mark.Repository, $"{commitToKeep}:{name}");
                refs = await origin.RefsAsync(mark.Repository, token, name);
            }

            return (note with { Pushed = refs[name] == commitToKeep }, null);
        }
        catch (GitException fault)
        {
            return (note, fault);
        }
    }

    // A clone that cannot be looked at as one. A link could lead anywhere, and what it leads to is not ours to push.
    private static string? Ruin(string directory, string work) =>
        new DirectoryInfo(work).LinkTarget is not null || new DirectoryInfo(Path.Combine(work, ".git")).LinkTarget is not null ? "the clone was replaced by a link"
        : Directory.Exists(Path.Combine(work, ".git", "objects")) ? null : "the clone has lost its .git directory; only its files are left";

    // Work outside the clone is not in its history.
    private static string? Beside(string directory, string work) =>
        Directory.EnumerateFileSystemEntries(directory).FirstOrDefault(path => path != work && !IsOurs(path)) is { } other ? $"'{Printable.Cut(Path.GetFileName(other), 100)}' lies beside the clone"
        : Directory.Exists(Path.Combine(work, ".git", "worktrees")) && Directory.EnumerateFileSystemEntries(Path.Combine(work, ".git", "worktrees")).Any() ? "the clone has work trees of its own elsewhere"
        : null;

    private static bool IsOurs(string path) =>
        Path.GetFileName(path) is var name && (name.StartsWith(WorkspaceMark.FileName, StringComparison.Ordinal) || name.StartsWith("rescue.index", StringComparison.Ordinal) || name.StartsWith("verify.index", StringComparison.Ordinal));

    // Without the origin the work can still be saved here; the push then says what is wrong.
    private async Task<(RemoteRefs? Refs, GitException? Unasked)> AskOriginAsync(WorkspaceMark mark, string name, CancellationToken token)
    {
        try
        {
            return (await origin.RefsAsync(mark.Repository, token, $"refs/heads/{mark.Branch}", RefNames.Attempts(mark.TaskId), name), null);
        }
        catch (GitException fault)
        {
            return (null, fault);
        }
    }

    // The youngest commit of each line that no known commit holds: branches, tags, stashes, and what only the reflogs still name.
    private async Task<List<string>> UnpushedEndsAsync(string work, string[] known, CancellationToken token)
    {
        string[] list = ["rev-list", "--parents", "--exclude=refs/fleet/*", "--all", "--reflog", "--ignore-missing", "--not", .. known];
        var outcome = await origin.AskAsync(work, token, list);
        var lines = outcome.Ok ? outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToList() : throw GitFaults.Explain(list, outcome);
        var parents = lines.SelectMany(line => line.Skip(1)).ToHashSet();
        return [.. lines.Select(line => line[0]).Where(commit => !parents.Contains(commit))];
    }

    private async Task<string?> TreeOfAsync(string work, string commit, CancellationToken token) =>
        commit.Length == 0 ? EmptyTree : (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", $"{commit}^{{tree}}")).Output.Trim();

    private const string EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    private async Task<string> CommitAsync(string work, WorkspaceMark mark, string name, string tree, IReadOnlyList<string> parents, CancellationToken token)
    {
        var author = new Dictionary<string, string>();
        foreach (var role in new[] { "AUTHOR", "COMMITTER" })
        {
            author[$"GIT_{role}_NAME"] = "fleet-sidecar";
            author[$"GIT_{role}_EMAIL"] = "fleet-sidecar@fleet.invalid";
        }

        string[] make =
        [
            "commit-tree", tree, .. parents.Distinct().SelectMany(parent => new[] { "-p", parent }),
            "-m", $"Work that generation {mark.Generation} of {mark.TaskId} left behind", "-m", $"Fleet-Task: {mark.TaskId}\nFleet-Generation: {mark.Generation}\nFleet-Run: {mark.RunId}\nFleet-Agent: {Printable.Cut(mark.Agent, 128)}",
        ];
        var made = await origin.TryAsync(work, author, token, make);
        var commit = made.Ok ? made.Output.Trim() : throw GitFaults.Explain(make, made);
        string[] keep = ["update-ref", name, commit];
        return await origin.AskAsync(work, token, keep) is { Ok: false } refused ? throw GitFaults.Explain(keep, refused) : commit;
    }
}
