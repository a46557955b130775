using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>What stands in the agent's own clone to keep it on its branch: two hooks, and the facts that they read.</summary>
/// <remarks>A guard rail, not the wall: an agent can step over its own hooks. What it then did is found at submit, where nothing of
/// this is believed.</remarks>
internal static class Fence
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const string PrePush =
        """
        #!/bin/sh
        # FleetSidecar: one task, one branch. The sidecar pushes the work itself when the task is done.
        refuse() { echo "fleet-sidecar: $1" >&2; exit 1; }
        fence=$(git rev-parse --git-dir)/fleet/fence
        [ -r "$fence" ] || refuse 'this clone has lost its fence; nothing may be pushed from it'
        { read -r task; read -r branch; read -r base; read -r generation; read -r state; } <"$fence"
        [ "$state" = current ] || refuse "generation $generation of $task is over ($state); nothing may be pushed for it"
        while read -r _ commit name _; do
          [ "$name" = "refs/heads/$branch" ] || refuse "only refs/heads/$branch may be pushed from here, not $name"
          case $commit in *[!0]*) ;; *) refuse "$name may not be deleted" ;; esac
          git merge-base --is-ancestor "$base" "$commit" || refuse "$commit does not stand on $base, where $task began"
        done
        exit 0

        """;

    private const string PrepareMessage =
        """
        #!/bin/sh
        # FleetSidecar: each commit says which attempt made it.
        fence=$(git rev-parse --git-dir)/fleet/fence
        [ -r "$fence" ] || exit 0
        { read -r task; read -r _; read -r _; read -r generation; } <"$fence"
        git interpret-trailers --in-place --if-exists replace --trailer "Fleet-Task: $task" --trailer "Fleet-Generation: $generation" "$1" || :

        """;

    /// <summary>Puts the hooks into a new clone.</summary>
    public static void Build(string work)
    {
        var hooks = Path.Combine(work, ".git", "hooks");
        Directory.CreateDirectory(hooks);
        Directory.CreateDirectory(Path.Combine(work, ".git", "fleet"));
        foreach (var (name, text) in new[] { ("pre-push", PrePush), ("prepare-commit-msg", PrepareMessage) })
        {
            NewFile.Write(Path.Combine(hooks, name), Encoding.UTF8.GetBytes(text));
            File.SetUnixFileMode(Path.Combine(hooks, name), Executable);
        }
    }
}

/// <summary>Keeps each open run's fence as its run is; writes only what changed.</summary>
internal sealed class Fences
{
    private readonly Dictionary<string, (long Generation, bool Over)> _set = [];

    /// <summary>Says which generation is current in the clone, or that none is any more. A clone that is gone needs no fence.</summary>
    public void Set(Run run)
    {
        var wanted = (run.Generation, run.IsEnding || run.State.IsFinal());
        if (run.Facts is not { Workspace: { } work, Branch: { } branch, BaseCommit: { } start } || (_set.TryGetValue(run.Id, out var set) && set == wanted))
        {
            return;
        }

        using (var fleet = InsideDirectory.Open(work, ".git", "fleet"))
        {
            // Renamed, so that a hook never reads half of it; not flushed, because a start sets it anew. What stands there is never
            // written into, and no link is followed: the agent may be at work in there, and put one in the place of each of them.
            if (fleet is not null)
            {
                Write(fleet, $"{run.TaskId}\n{branch}\n{start}\n{run.Generation}\n{(wanted.Item2 ? "over" : "current")}\n");
            }
        }

        // A higher generation of the same run: what it leaves is kept under that one.
        if (Path.GetDirectoryName(work) is { } directory && WorkspaceMark.Read(directory) is { } mark && mark.Generation != run.Generation)
        {
            (mark with { Generation = run.Generation }).Write(directory);
        }

        _set[run.Id] = wanted;
        if (run.State == RunState.Settled)
        {
            _set.Remove(run.Id);
        }
    }

    private static void Write(InsideDirectory fleet, string text)
    {
        File.Delete(fleet["fence.tmp"]);
        using (var fresh = new StreamWriter(new FileStream(fleet["fence.tmp"], FileMode.CreateNew)))
        {
            fresh.Write(text);
        }

        FileRename.Over(fleet["fence.tmp"], fleet["fence"]);
    }
}
