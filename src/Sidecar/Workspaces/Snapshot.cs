using System.Text.RegularExpressions;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>The files of a clone as they lie there, as a tree of git.</summary>
/// <param name="Tree">The tree.</param>
/// <param name="Staged">What the agent's own index holds, as a tree; null where it cannot be had.</param>
/// <param name="Kept">What it does not hold, or cannot: a reason to keep the directory.</param>
internal sealed partial record Snapshot(string Tree, string? Staged, string? Kept)
{
    // What an attribute of the repository may ask for is decided by us, not by the machine: every file is stored as it is.
    private static readonly string[] Plain =
    [
        "-c", "filter.lfs.process=", "-c", "filter.lfs.clean=", "-c", "filter.lfs.required=false", "-c", "core.excludesFile=/dev/null", "-c", "core.attributesFile=/dev/null",
        "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", "-c", "core.fsmonitor=false", "-c", "advice.addEmbeddedRepo=false", "-c", "core.quotePath=true",
    ];

    // A disk on which an agent used up every inode has room for one pack, not for a file of git's for each file. Git collects into a
    // pack what it takes for large; it compares each with all before, so only where it must.
    private const long FewInodes = 50_000;
    private static readonly string[] OnePack = ["-c", "core.bigFileThreshold=1"];

    /// <summary>Takes it with an index of our own: the agent's may say that a file is not to be looked at.</summary>
    /// <param name="origin">Git on the clone's objects.</param>
    /// <param name="tools">Removes what was made on the way.</param>
    /// <param name="guard">Ends it where it would fill the disk.</param>
    /// <param name="work">The clone, in which <see cref="WorkTraps"/> found none.</param>
    /// <param name="head">The commit that it is compared with later; empty for none.</param>
    /// <param name="index">A file to be used, and removed.</param>
    /// <param name="token">Gives up.</param>
    public static async Task<Snapshot> TakeAsync(Origin origin, ToolRunner tools, FloorGuard guard, string work, string head, string index, CancellationToken token)
    {
        var ours = new Dictionary<string, string> { ["GIT_INDEX_FILE"] = index, ["GIT_WORK_TREE"] = work };
        File.Delete(index);
        File.Delete($"{index}.lock");
        try
        {
            // What the agent put into its own index counts, also a file that is ignored, or gone again.
            var (staged, unread) = await StagedAsync(origin, work, index, ours, token);
            var begin = staged ?? head;
            if (begin.Length > 0)
            {
                await MustAsync(["read-tree", begin]);
            }

            await NestedRepositories.PassOverAsync(PlainAsync, work);
            if (begin.Length > 0)
            {
                await PlainAsync(ToolRunner.OutputLimit, ["update-index", "-q", "--refresh"]);
                await TryPassOverAsync(origin.Fresh(work, tools, $"{index}.fresh", Plain), work, index, begin, token);
            }

            var packed = DiskSpace.At(work).Inodes < FewInodes ? OnePack : [];
            string[] add = [.. Plain, .. packed, "add", "--all", "--", "."];
            var added = await AddAsync(origin.TryAsync(work, ours, guard.Token, add));
            if (added.TimedOut || (!added.Ok && GitFaults.Classify(added) is GitFaults.DiskFull or GitFaults.OutOfMemory))
            {
                throw GitFaults.Explain(add, added); // A second try would take as long, or meet the same; the next look may not.
            }

            // An attribute can ask for an encoding that a file does not have: then all of them are saved as they lie.
            added = !added.Ok && GitFaults.IsAboutEncoding(added.Error) ? await AddAsync(origin.TryAsTheyLieAsync(work, ours, guard.Token, add)) : added;
            var kept = unread ?? Unsaved(added);
            if (!added.Ok)
            {
                // The rest can still be saved; what stands in the way is a reason to keep it all.
                await AddAsync(origin.TryAsync(work, ours, guard.Token, [.. Plain, .. packed, "add", "--all", "--ignore-errors", "--", "."]));
            }

            kept ??= (await NestedRepositories.ListAsync(PlainAsync)).FirstOrDefault(path => NestedRepositories.IsInhabited(work, path)) is { } nested ? $"'{Printable.Cut(nested, 100)}' is a repository of its own, whose work is not looked at" : null;
            return new Snapshot((await MustAsync(["write-tree"])).Trim(), staged, kept);
        }
        finally
        {
            File.Delete(index);
            File.Delete($"{index}.lock");
        }

        // What a git that failed has written is removed at once: until the next look it would be what fills the disk.
        async Task<ToolOutcome> AddAsync(Task<ToolOutcome> adding)
        {
            try
            {
                var outcome = await adding;
                if (!outcome.Ok)
                {
                    GitLeftovers.Remove(Path.Combine(work, ".git"));
                }

                return outcome;
            }
            catch (OperationCanceledException) when (guard.Reason is { } reason && !token.IsCancellationRequested)
            {
                GitLeftovers.Remove(Path.Combine(work, ".git"));
                throw new GitException(GitFaults.DiskFull, reason, "free space on the state directory's disk; half of selfTest.diskFloorBytes is never used to save work");
            }
        }

        Task<ToolOutcome> PlainAsync(int room, string[] arguments) => origin.TryAsync(work, ours, room, token, [.. Plain, .. arguments]);

        async Task<string> MustAsync(string[] arguments)
        {
            var outcome = await origin.TryAsync(work, ours, token, arguments);
            return outcome.Ok ? outcome.Output : throw GitFaults.Explain(arguments, outcome);
        }
    }

    // Without it what is right counts as changed, and is saved once more.
    private static async Task TryPassOverAsync(FreshCheckout fresh, string work, string index, string version, CancellationToken token)
    {
        try
        {
            await fresh.PassOverAsync(work, index, version, token);
        }
        catch (Exception fault) when (fault is GitException or IOException or UnauthorizedAccessException)
        {
            File.Delete($"{index}.lock"); // Of a git that a time limit ended.
        }
    }

    // The agent's index as a tree; null where it has none, or one with a merge that is not settled, whose contents are all commits'.
    private static async Task<(string? Tree, string? Kept)> StagedAsync(Origin origin, string work, string index, Dictionary<string, string> ours, CancellationToken token)
    {
        await using (var theirs = OutsideFile.Stream(Path.Combine(work, ".git", "index")))
        {
            if (theirs is null)
            {
                return (null, null);
            }

            await using var copy = new FileStream(index, FileMode.CreateNew);
            await theirs.CopyToAsync(copy, token);
        }

        var written = await origin.TryAsync(work, ours, token, "write-tree");
        File.Delete(index);

        // Above 128: a signal. An index that unfolds to more than there is memory for may still be somebody's work.
        return (written.Ok ? written.Output.Trim() : null, written.TimedOut || written.ExitCode > 128 ? "what is staged in it could not be read" : null);
    }

    // Git goes on where it cannot read something, and says so.
    private static string? Unsaved(ToolOutcome added) =>
        added.Error.Split('\n').FirstOrDefault(line => (line.StartsWith("warning:", StringComparison.Ordinal) && !Harmless().IsMatch(line)) || line.StartsWith("error:", StringComparison.Ordinal) || line.StartsWith("fatal:", StringComparison.Ordinal)) is { } said
            ? $"not every file could be saved: {Printable.Cut(said, 200)}"
            : added.Ok ? null : "not every file could be saved";

    // About rules that git passes over, as of a .gitattributes that is a link: every file is saved all the same.
    [GeneratedRegex("""^warning: (adding embedded git repository|unable to access '([^']*/)?\.git(ignore|attributes|modules)'|Negative patterns are ignored|ignoring overly (long|large) |in the working copy of |(CR)?LF will be replaced by )""")]
    private static partial Regex Harmless();
}
