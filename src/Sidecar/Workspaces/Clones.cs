using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Makes an agent's clone: objects borrowed from the mirror; refs, index, stash and hooks its own.</summary>
internal sealed class Clones(SidecarConfig config, Git git, ToolRunner tools)
{
    /// <summary>Directories that are still being made, or are being removed: nobody's work is in them.</summary>
    public const string Making = ".making-", Removing = ".removing-";

    private static readonly Dictionary<string, string> SkipSmudge = new() { ["GIT_LFS_SKIP_SMUDGE"] = "1" };

    public static string Root(SidecarConfig config) => config.WorkspacesDirectory;

    /// <summary>The clone in a workspace's directory.</summary>
    public static string WorkOf(string directory) => Path.Combine(directory, "work");

    /// <summary>Why a clone is not where it was made, or null: it, or the directory around it, became a link, which may lead into somebody else's work.</summary>
    public static string? Displaced(string work) =>
        PathFacts.Of(work) is { Kind: PathKind.Link } ? "the clone was replaced by a link"
        : PathFacts.Of(Path.GetDirectoryName(work)!) is { Kind: PathKind.Link } ? "the clone's directory was replaced by a link"
        : null;

    /// <summary>Makes it, whole or not at all, and says where it is.</summary>
    public async Task<string> MakeAsync(string mirror, WorkspaceMark mark, string start, CancellationToken token)
    {
        var path = Path.Combine(Root(config), mark.RunId);
        var beside = Path.Combine(Root(config), $"{Making}{mark.RunId}");
        await TreeRemoval.RemoveAsync(tools, beside, token); // Of this run, from before a crash.
        try
        {
            ClearPlace.For(Root(config));
            Directory.CreateDirectory(beside);
            mark.Write(beside);
            await FillAsync(WorkOf(beside), mirror, mark, start, token);
        }
        catch
        {
            // Half a clone may be what fills the disk, and no other attempt need follow.
            await TryRemoveAsync(beside);
            throw;
        }

        await TreeRemoval.RemoveAsync(tools, path, token); // Of this run, from before a crash; no agent has seen it yet.
        Directory.Move(beside, path);
        return WorkOf(path);
    }

    // What cannot be removed now is removed by the next attempt, or at the next start.
    private async Task TryRemoveAsync(string beside)
    {
        try
        {
            await TreeRemoval.RemoveAsync(tools, beside, CancellationToken.None);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }

    private async Task FillAsync(string work, string mirror, WorkspaceMark mark, string start, CancellationToken token)
    {
        await git.RunAsync(Path.GetDirectoryName(work)!, token,
            "clone", "--shared", "--no-checkout", "--template=", "--quiet",
            "-c", $"user.name={config.Workspace.AuthorName ?? config.Agent.Name ?? config.Agent.Id}",
            "-c", $"user.email={config.Workspace.AuthorEmail ?? $"{config.Agent.Id}@fleet.invalid"}",
            "-c", "gc.auto=0", "-c", "submodule.recurse=false", "--", mirror, work);
        if (!PointAt(work, mirror, mark.Repository))
        {
            await git.RunAsync(work, token, "remote", "set-url", "origin", mark.Repository);
        }

        // Not git checkout: one that could not read a file says so and ends with 0. A reset ends with 128.
        await git.RunAsync(work, token, "symbolic-ref", "HEAD", $"refs/heads/{mark.Branch}");
        await git.RunAsync(work, SkipSmudge, token, "reset", "--hard", "--quiet", start);
        await WorkspaceProof.RequireAsync(git, work, start, mark.Base, token);
        Fence.Build(work);
    }

    /// <summary>The directories of a place by a pattern of their names; none where we may not look, because nothing there could be removed by us.</summary>
    public static string[] In(string root, string pattern)
    {
        try
        {
            return Directory.Exists(root) ? Directory.GetDirectories(root, pattern) : [];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // The agent's origin is the real one. Writing the line here saves a process; a mirror whose path git had to quote is left to git.
    private static bool PointAt(string work, string mirror, string address)
    {
        var file = Path.Combine(work, ".git", "config");
        var (text, line) = (File.ReadAllText(file), $"\turl = {mirror}\n");
        if (!text.Contains(line, StringComparison.Ordinal))
        {
            return false;
        }

        var quoted = address.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        NewFile.Write(file, Encoding.UTF8.GetBytes(text.Replace(line, $"\turl = \"{quoted}\"\n", StringComparison.Ordinal)));
        return true;
    }
}
