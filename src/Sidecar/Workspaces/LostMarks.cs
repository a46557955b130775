using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Workspaces from which an agent took the mark, or rights of ours: what the store knows of their run is enough to save and remove them.</summary>
internal sealed class LostMarks(SidecarConfig config, RunStore store, ToolRunner tools)
{
    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    /// <summary>Writes marks again where the store has the run; a directory of no known run stays without.</summary>
    public void WriteAgain(IEnumerable<string> directories)
    {
        if (config.AgentsInUnits)
        {
            return; // The mark lies beside what an agent in a unit sees.
        }

        foreach (var directory in directories)
        {
            try
            {
                WriteAgain(directory);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Another user's, or on a full disk: it stays, and the others have their turn.
            }
        }
    }

    private void WriteAgain(string directory)
    {
        OwnModes.GiveBack(directory);

        // One that is there and cannot be read is evidence of something else.
        var mark = Path.Combine(directory, WorkspaceMark.FileName);
        if (!File.Exists(mark) && new DirectoryInfo(directory).LinkTarget is null && store.Find(Path.GetFileName(directory)) is { } run && run.State.IsFinal() && MarkOf(run) is { } again)
        {
            again.Write(directory);
        }
    }

    /// <summary>Gives us back what an agent of the same user closed in its clone. Git's own rights are those of the owner.</summary>
    public async Task OpenAsync(string directory, WorkspaceMark mark, CancellationToken token)
    {
        var work = Clones.WorkOf(directory);
        if (!config.AgentsInUnits && (mark.Rescue is null or { Problem: not null } or { Kept: not null }) && Directory.Exists(work) && new DirectoryInfo(work).LinkTarget is null)
        {
            // A directory at once, because find(1) goes into it next; never through a link.
            string[] open = ["find", work, "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";", "-o", "-type", "f", "!", "-perm", "-400", "-exec", "chmod", "u+r", "{}", "+"];
            await tools.RunAsync(open, Variables, "/", config.Workspace.GitTimeout, token);
        }
    }

    private WorkspaceMark? MarkOf(Run run) => run is { Assignment.Repo: { } repository, Facts: { Branch: { } branch, BaseCommit: { } start } }
        ? new WorkspaceMark
        {
            RunId = run.Id, TaskId = run.TaskId, Generation = run.Generation, Agent = config.Agent.Id, BeganAtUnixMs = run.CreatedAtUnixMs, Repository = repository, Branch = branch, Base = start,
        }
        : null;
}
