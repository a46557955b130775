using System.Globalization;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>One changed file between two commits, as <c>git diff-tree --raw</c> says it.</summary>
/// <param name="Status">A added, C copied, D deleted, M modified, R renamed, T type changed.</param>
/// <param name="OldMode">Six octal digits; 000000 where there was no file.</param>
/// <param name="NewMode">Six octal digits; 000000 where there is none any more.</param>
/// <param name="NewObject">The object that holds the new content.</param>
/// <param name="Path">Where it is now, or was if it is deleted. Bytes that are no UTF-8 are U+FFFD.</param>
/// <param name="OldPath">Where it came from, for renames and copies.</param>
internal sealed record ChangedFile(char Status, string OldMode, string NewMode, string NewObject, string Path, string? OldPath);

/// <summary>What changed between two commits, in facts: files, lines, paths. Names come NUL-separated, so no name can pass for two or for an option.</summary>
internal static class DiffFacts
{
    private const int MostPaths = 50, LongestPath = 256;

    // No program that a repository or its attributes could name, and no setting of the reader's that would change the answer.
    private static readonly string[] Look = ["diff-tree", "-r", "-z", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"];

    /// <summary>The facts that are reported with a result.</summary>
    /// <param name="git">Runs git with these arguments on the repository.</param>
    /// <param name="from">The older commit.</param>
    /// <param name="to">The newer one.</param>
    public static async Task<DiffSummary> SummaryAsync(Func<string[], Task<ToolOutcome>> git, string from, string to)
    {
        var (files, complete) = await FilesAsync(git, from, to);
        var (insertions, deletions) = await LinesAsync(git, from, to);
        return new DiffSummary
        {
            Files = files.Count, Insertions = insertions, Deletions = deletions, DeletedFiles = files.Count(file => file.Status == 'D'),
            Paths = [.. files.Take(MostPaths).Select(file => Printable.Cut(file.Path, LongestPath))], Complete = complete && files.Count <= MostPaths ? null : false,
        };
    }

    /// <summary>Every changed file; not complete where there are more than the output of one command holds.</summary>
    public static async Task<(IReadOnlyList<ChangedFile> Files, bool Complete)> FilesAsync(Func<string[], Task<ToolOutcome>> git, string from, string to)
    {
        string[] arguments = [.. Look, "--raw", "--no-abbrev", "--end-of-options", from, to];
        var outcome = await LookAsync(git, arguments);
        return outcome.Ok ? (Parse(outcome.Output), outcome.Output.Length < ToolRunner.OutputLimit) : throw GitFaults.Explain(arguments, outcome);
    }

    /// <summary>Lines added and taken away; binary files count as none.</summary>
    public static async Task<(long Insertions, long Deletions)> LinesAsync(Func<string[], Task<ToolOutcome>> git, string from, string to)
    {
        string[] arguments = [.. Look[..2], .. Look[3..], "--shortstat", "--end-of-options", from, to];
        var outcome = await LookAsync(git, arguments);
        return outcome.Ok ? (Number(outcome.Output, " insertion"), Number(outcome.Output, " deletion")) : throw GitFaults.Explain(arguments, outcome);
    }

    // For a rename git holds both files whole, however large. Where it has no memory for that, a rename is a file that went and one that came.
    private static async Task<ToolOutcome> LookAsync(Func<string[], Task<ToolOutcome>> git, string[] arguments) =>
        await git(arguments) is { Ok: true } outcome ? outcome : await git([.. arguments.Where(argument => argument != "-M")]);

    /// <summary>Reads <c>:OLDMODE NEWMODE OLD NEW STATUS NUL PATH NUL [PATH NUL]</c>. A record that was cut off is left out.</summary>
    public static IReadOnlyList<ChangedFile> Parse(string text)
    {
        var (parts, files) = (text.Split('\0'), new List<ChangedFile>());
        for (var at = 0; at + 2 < parts.Length && parts[at].StartsWith(':');)
        {
            var head = parts[at][1..].Split(' ');
            var twoNames = head is [_, _, _, _, ['R' or 'C', ..]];
            if (head.Length != 5 || head[4].Length == 0 || (twoNames && at + 3 >= parts.Length))
            {
                break;
            }

            files.Add(new ChangedFile(head[4][0], head[0], head[1], head[3], parts[at + (twoNames ? 2 : 1)], twoNames ? parts[at + 1] : null));
            at += twoNames ? 3 : 2;
        }

        return files;
    }

    // " 3 files changed, 5 insertions(+), 2 deletions(-)"; what is none is not said.
    private static long Number(string text, string word) =>
        text.IndexOf(word, StringComparison.Ordinal) is > 0 and var end && long.TryParse(text[(text.LastIndexOf(' ', end - 1) + 1)..end], NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;
}
