using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Repositories inside a work tree, which a commit names (mode 160000, as submodules are).</summary>
/// <remarks><c>git add</c> asks <c>git status</c> of each that the index knows, in there, by that repository's own configuration: it
/// could name programs (filters, monitors), and no setting of ours prevents it. So the index is told not to look.</remarks>
internal static class NestedRepositories
{
    private const int Room = 64_000_000, AtOnce = 100;

    /// <summary>Before every <c>git add</c> of what is known: those that are directories stay in the index as they are; what else there is in the place of one is taken in.</summary>
    /// <param name="git">Runs git on the work tree and the index, with this much room for what it says.</param>
    /// <param name="directory">The work tree.</param>
    /// <exception cref="GitException">There is one that cannot be passed over.</exception>
    public static async Task PassOverAsync(Func<int, string[], Task<ToolOutcome>> git, string directory)
    {
        var all = await ListAsync(git);
        if (all.FirstOrDefault(IsNoText) is { } odd)
        {
            throw new GitException(GitFaults.Unsupported, $"the name of the submodule '{Printable.Cut(odd, 100)}' is no UTF-8", "rename it");
        }

        var kinds = all.ToLookup(path => PathFacts.Of(Path.Combine(directory, path))?.Kind);
        await DoAsync(kinds[PathKind.Directory], "update-index", "--assume-unchanged", "--");
        await DoAsync(all.Except(kinds[PathKind.Directory]), "update-index", "--force-remove", "--");
        await DoAsync(kinds[PathKind.File].Concat(kinds[PathKind.Link]), "--literal-pathspecs", "add", "--force", "--");

        async Task DoAsync(IEnumerable<string> paths, params string[] command)
        {
            foreach (var some in paths.Chunk(AtOnce))
            {
                var outcome = await git(ToolRunner.OutputLimit, [.. command, .. some]);
                _ = outcome.Ok ? outcome : throw GitFaults.Explain(command, outcome);
            }
        }
    }

    /// <summary>Where an index has one. A name that is no UTF-8 has U+FFFD in it.</summary>
    public static async Task<IReadOnlyList<string>> ListAsync(Func<int, string[], Task<ToolOutcome>> git)
    {
        string[] list = ["ls-files", "-z", "--stage"];
        var listed = await git(Room, list);
        return !listed.Ok || listed.Output.Length >= Room ? throw GitFaults.Explain(list, listed)
            : [.. listed.Output.Split('\0').Where(line => line.StartsWith("160000 ", StringComparison.Ordinal)).Select(line => line[(line.IndexOf('\t', StringComparison.Ordinal) + 1)..]).Distinct()];
    }

    /// <summary>Whether there is anything in the place of one.</summary>
    public static bool IsInhabited(string directory, string path) =>
        IsNoText(path) || (Path.Combine(directory, path) is var place && Directory.Exists(place) && Directory.EnumerateFileSystemEntries(place).Any());

    private static bool IsNoText(string path) => path.Contains('\uFFFD', StringComparison.Ordinal);
}
