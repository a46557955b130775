using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Workspaces whose mark an agent took, spoilt or changed, or from which it took rights of ours: what the store knows of their run is enough to save and remove them.</summary>
internal sealed class LostMarks(SidecarConfig config, RunStore store, ToolRunner tools)
{
    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    /// <summary>Writes the marks of runs that have ended again, where they are not what the store knows.</summary>
    /// <returns>Workspaces that stay, because neither a mark nor the store says whose work is in there.</returns>
    public IReadOnlyList<string> WriteAgain(IEnumerable<string> directories)
    {
        if (config.AgentsInUnits)
        {
            return []; // The mark lies beside what an agent in a unit sees.
        }

        var unknown = new List<string>();
        foreach (var directory in directories)
        {
            try
            {
                if (!IsKnown(directory))
                {
                    unknown.Add(directory);
                }
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Another user's, or on a full disk: it stays, and the others have their turn.
            }
        }

        return unknown;
    }

    // Whether somebody knows whose work is there; a mark that says something else than the store is written again.
    private bool IsKnown(string directory)
    {
        if (new DirectoryInfo(directory).LinkTarget is not null)
        {
            return true;
        }

        var place = Path.Combine(directory, WorkspaceMark.FileName);
        OwnModes.GiveBack(directory);
        OwnModes.GiveBack(place);
        var mark = WorkspaceMark.Read(directory);
        if (store.Find(Path.GetFileName(directory)) is not { } run || !run.State.IsFinal() || MarkOf(run) is not { } truth)
        {
            return mark is not null;
        }

        if (mark is null || !mark.IsOfSameWork(truth))
        {
            if (PathFacts.Of(place) is { } facts)
            {
                ClearPlace.Rename(place, facts); // Kept beside the work until that goes: it says what somebody made of it.
            }

            truth.Write(directory);
        }

        return true;
    }

    /// <summary>Gives us back what an agent of the same user closed in its clone. Git's own rights are those of the owner.</summary>
    public Task OpenAsync(string directory, WorkspaceMark mark, CancellationToken token) =>
        mark.Rescue is null or { Problem: not null } or { Kept: not null } ? OpenAsync(Clones.WorkOf(directory), token) : Task.CompletedTask;

    /// <summary>The same for a clone whatever its mark says.</summary>
    public async Task OpenAsync(string work, CancellationToken token)
    {
        if (!config.AgentsInUnits && Directory.Exists(work) && new DirectoryInfo(work).LinkTarget is null)
        {
            // A directory at once, because find(1) goes into it next; never through a link.
            string[] open = ["find", work, "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";", "-o", "-type", "f", "!", "-perm", "-400", "-exec", "chmod", "u+r", "{}", "+"];
            try
            {
                await tools.RunAsync(open, Variables, "/", config.Workspace.GitTimeout, token);
            }
            catch (SpawnException)
            {
                // A machine without find(1): whoever looks next says what is closed.
            }
        }
    }

    private WorkspaceMark? MarkOf(Run run) => run is { Assignment.Repo: { } repository, Facts: { Branch: { } branch, BaseCommit: { } start } }
        ? new WorkspaceMark
        {
            RunId = run.Id, TaskId = run.TaskId, Generation = run.Generation, Agent = config.Agent.Id, BeganAtUnixMs = run.CreatedAtUnixMs, Repository = repository, Branch = branch, Base = start,
        }
        : null;
}
