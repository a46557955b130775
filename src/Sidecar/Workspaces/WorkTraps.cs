using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>What in a work tree would hold git, or lead it out, where it looks for files: rules of its own, and repositories inside.</summary>
/// <remarks>
/// <c>git add</c> reads <c>.gitignore</c> and <c>.gitattributes</c> of every directory, <c>.gitmodules</c>, and HEAD and refs of each
/// repository that it meets. It would wait for ever at a pipe, and take as much memory as a file is long. find(1) looks: it follows no
/// link and knows no name that it could not look at. Pipes of other names are in nobody's way, and sockets cannot be opened.
/// </remarks>
internal static class WorkTraps
{
    private const int LongestLink = 4_096;
    private const string LongestRules = "+4096k";

    private static readonly Dictionary<string, string> Environment = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    // Of the clone's own repository only what a file called .git or commondir may lead to; the rest is GitFiles'.
    private static readonly string[] Look =
    [
        "find", ".", "-path", "./.git/*", "!", "-path", "./.git/modules", "!", "-path", "./.git/modules/*", "!", "-path", "./.git/worktrees", "!", "-path", "./.git/worktrees/*", "-prune",
        "-o", "(", "-name", ".gitignore", "-o", "-name", ".gitattributes", "-o", "-name", ".gitmodules", ")", "(", "-type", "p", "-o", "-type", "f", "-size", LongestRules, ")", "-print0",
        "-o", "-path", "./.gitmodules", "-type", "l", "-print0",
        "-o", "-name", ".git", "!", "-type", "d", "-print0",
        "-o", "-path", "*/.git/*", "(", "-type", "p", "-o", "-name", "commondir", "-o", "-type", "l", "!", "(", "-path", "*/.git/hooks/*", "!", "-path", "./.git/*", ")", ")", "-print0",
    ];

    /// <summary>Why git must not look at the files, or null.</summary>
    /// <param name="tools">Runs find(1).</param>
    /// <param name="work">The clone.</param>
    /// <param name="limit">Longest time.</param>
    /// <param name="token">Gives up.</param>
    public static async Task<string?> FindAsync(ToolRunner tools, string work, TimeSpan limit, CancellationToken token)
    {
        // What it may not look into git may not either, and that is said elsewhere.
        var found = await tools.RunAsync(Look, Environment, work, limit, token);
        return found.TimedOut || found.Output.Length >= ToolRunner.OutputLimit ? "there are too many files to see whether git can look at them"
            : found.Output.Split('\0', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(path => !StaysInside(work, path)) is { } trap
                ? $"'{Printable.Cut(trap, 100)}' is nothing that git could read there" : null;
    }

    // As git writes it for submodules and for work trees of this clone: it names a repository that was looked at as well. On the
    // way there is no link, which would be a trap of its own.
    private static bool StaysInside(string work, string path)
    {
        const string Word = "gitdir: ";
        if (Path.GetFileName(path) is not (".git" or "commondir") || OutsideFile.Read(Path.Combine(work, path), LongestLink, followLink: false) is not { } bytes || bytes.Contains((byte)0))
        {
            return false;
        }

        var (text, repository) = (Encoding.UTF8.GetString(bytes).TrimEnd(), Path.Combine(work, ".git"));
        return Path.GetFileName(path) == "commondir" ? text == "../.." && Path.GetDirectoryName(Path.GetDirectoryName(path)) == "./.git/worktrees"
            : text.StartsWith(Word, StringComparison.Ordinal) && Path.GetFullPath(Path.Combine(work, Path.GetDirectoryName(path)!, text[Word.Length..])) is var place
                && (place.StartsWith($"{repository}/modules/", StringComparison.Ordinal) || place.StartsWith($"{repository}/worktrees/", StringComparison.Ordinal));
    }
}
