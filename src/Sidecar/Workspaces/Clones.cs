using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Makes an agent's clone: objects borrowed from the mirror; refs, index, stash and hooks its own.</summary>
internal sealed class Clones(SidecarConfig config, Git git, ToolRunner tools)
{
    /// <summary>Directories that are still being made, or are being removed: nobody's work is in them.</summary>
    public const string Making = ".making-", Removing = ".removing-";

    public static string Root(SidecarConfig config) => config.WorkspacesDirectory;

    /// <summary>The clone in a workspace's directory.</summary>
    public static string WorkOf(string directory) => Path.Combine(directory, "work");

    /// <summary>Makes it, whole or not at all, and says where it is.</summary>
    public async Task<string> MakeAsync(string mirror, WorkspaceMark mark, string start, CancellationToken token)
    {
        var path = Path.Combine(Root(config), mark.RunId);
        var beside = Path.Combine(Root(config), $"{Making}{mark.RunId}");
        await TreeRemoval.RemoveAsync(tools, beside, token); // Of this run, from before a crash.
        Directory.CreateDirectory(beside);
        mark.Write(beside);
        var work = WorkOf(beside);
        await git.RunAsync(beside, token,
            "clone", "--shared", "--no-checkout", "--template=", "--quiet",
            "-c", $"user.name={config.Workspace.AuthorName ?? config.Agent.Name ?? config.Agent.Id}",
            "-c", $"user.email={config.Workspace.AuthorEmail ?? $"{config.Agent.Id}@fleet.invalid"}",
            "-c", "gc.auto=0", "-c", "submodule.recurse=false", "--", mirror, work);
        if (!PointAt(work, mirror, mark.Repository))
        {
            await git.RunAsync(work, token, "remote", "set-url", "origin", mark.Repository);
        }

        await git.RunAsync(work, new Dictionary<string, string> { ["GIT_LFS_SKIP_SMUDGE"] = "1" }, token, "checkout", "--quiet", "--no-track", "-B", mark.Branch, start);
        Fence.Build(work);
        await TreeRemoval.RemoveAsync(tools, path, token); // Of this run, from before a crash; no agent has seen it yet.
        Directory.Move(beside, path);
        return WorkOf(path);
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
        File.WriteAllText(file, text.Replace(line, $"\turl = \"{quoted}\"\n", StringComparison.Ordinal));
        return true;
    }
}
