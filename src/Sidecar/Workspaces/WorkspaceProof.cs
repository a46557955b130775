using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Proves that a new clone is complete before an agent is woken in it.</summary>
/// <remarks>
/// Three facts: no object of the trees of the start and of the base is missing, the index equals HEAD, and every path of the
/// index is in the work tree. Contents are not compared again: git has just written them from the objects that it read, and
/// ends with an error where it could not. A comparison would run filters, and call a file changed whose line ends its
/// attributes convert. Not proved: the history below the base, which <c>git fsck</c> in the mirror looks at once a day.
/// </remarks>
internal static class WorkspaceProof
{
    private const int MostNamed = 3, MostNameChars = 200;

    /// <exception cref="GitException">The clone is not complete.</exception>
    public static async Task RequireAsync(Git git, string work, string start, string @base, CancellationToken token)
    {
        // --quiet: the objects that are there are not listed, those that are missing are.
        string[] trees = start == @base ? [$"{start}^{{tree}}"] : [$"{start}^{{tree}}", $"{@base}^{{tree}}"];
        string[] walk = ["rev-list", "--objects", "--missing=print", "--quiet", .. trees];
        string[] compare = ["diff-index", "--cached", "--name-only", "HEAD", "--"];
        string[] look = ["ls-files", "--deleted"];
        var said = await Task.WhenAll(
            git.TryAsync(work, token, walk), git.TryAsync(work, token, compare), git.TryAsync(work, token, look));
        var (missing, changed, gone) = (Lines(walk, said[0]), Lines(compare, said[1]), Lines(look, said[2]));
        if (missing.Count > 0)
        {
            throw Incomplete("objects are missing", missing);
        }

        if (changed.Count > 0)
        {
            throw Incomplete("the index is not HEAD", changed);
        }

        if (gone.Count > 0)
        {
            throw Incomplete("files are missing", gone);
        }
    }

    private static List<string> Lines(string[] arguments, ToolOutcome outcome) =>
        outcome.Ok ? [.. outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)]
            : throw GitFaults.Explain(arguments, outcome);

    private static GitException Incomplete(string what, List<string> names)
    {
        var named = string.Join(", ", names.Take(MostNamed).Select(name => Printable.Cut(name, MostNameChars)));
        var more = names.Count > MostNamed ? $" and {names.Count - MostNamed} more" : "";
        var hint = GitFaults.HintFor(GitFaults.Damaged);
        return new GitException(GitFaults.Damaged, $"the workspace is not complete, {what}: {named}{more}", hint);
    }
}
