using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>Looks after workspaces whose runs are over: saves what they left, then removes those whose work is proved to be on the origin.</summary>
/// <remarks>It goes by the directories and their marks, not by the store, so that it finds the work of every run that ever ended
/// here, whatever crashed. What carries no mark of ours is never touched.</remarks>
internal sealed partial class WorkspaceKeeper(
    SidecarConfig config, IAgentHost host, Rescue rescue, Origin origin, RunLoop runs, LostMarks lost, ToolRunner tools, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<WorkspaceKeeper> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1), Soon = TimeSpan.FromSeconds(2), LookAgain = TimeSpan.FromHours(1), LongestFirstAnswer = TimeSpan.FromSeconds(20);
    private readonly SemaphoreSlim _nudge = new(0, 1);
    private readonly HashSet<string> _staying = [];
    private readonly Dictionary<string, (TimeSpan Pause, long NotBefore, string Said)> _failed = [];
    private readonly SilentOrigins _silent = new();

    protected override async Task RunAsync(CancellationToken stopping)
    {
        while (true)
        {
            OwnModes.Restore(config);
            await TryPassAsync("the leftovers of workspaces", () => RemoveLeftoversAsync(stopping), stopping);
            await TryPassAsync("marks of workspaces", () => Task.Run(WriteMarksAgain, stopping), stopping);
            Pulse.Beat(LongestLook);
            List<string> marked = [];
            await TryPassAsync("the list of workspaces", () => Task.FromResult(marked = Known()), stopping);
            foreach (var directory in marked)
            {
                if (_failed.ContainsKey(Path.GetFileName(directory)) && _nudge.CurrentCount > 0)
                {
                    break; // Somebody's run has ended meanwhile: that one first.
                }

                if (!IsOpen(Path.GetFileName(directory)))
                {
                    await TryPassAsync(directory, () => TendAsync(directory, stopping), stopping);
                    Pulse.Beat(LongestLook);
                }
            }

            var next = _failed.Values.Select(failed => TimeSpan.FromMilliseconds(failed.NotBefore - Now)).Append(Interval).Min();
            Pulse.Beat(Interval + LongestLook);
            await _nudge.WaitAsync(next > TimeSpan.Zero ? next : Soon, stopping);
        }
    }

    // Those that did not fail first. What is remembered of those that are gone is forgotten.
    private List<string> Known()
    {
        var marked = Marked().OrderBy(path => _failed.GetValueOrDefault(Path.GetFileName(path)).NotBefore).ToList();
        _failed.Keys.Except(marked.Select(path => Path.GetFileName(path))).ToList().ForEach(gone => _failed.Remove(gone));
        _silent.KeepOnly(marked.Select(WorkspaceMark.Read).OfType<WorkspaceMark>().Select(mark => mark.Repository));
        return marked;
    }

    private void WriteMarksAgain()
    {
        foreach (var directory in lost.WriteAgain(Clones.In(Clones.Root(config), "run_*").Where(path => !IsOpen(Path.GetFileName(path)))).Where(_staying.Add))
        {
            LogWorkspaceKept(Path.GetFileName(directory), "an unknown task", directory, "neither its mark nor the store says whose work it is");
        }
    }

    // A look asks git some thirty times, and each may take as long as it is let; before that what an agent had is closed.
    private TimeSpan LongestLook => (config.Workspace.GitTimeout * 40) + Interval + RunModes.Longest;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    // The directories first, the runs afterwards: a run is known before its workspace is there.
    private bool IsOpen(string runId) => runs.Snapshot.FirstOrDefault(run => run.Id == runId) is { } run && (!run.State.IsFinal() || run.ProcessMayLive);

    private IEnumerable<string> Marked() => Clones.In(Clones.Root(config), "*")
        .Where(path => !Path.GetFileName(path).StartsWith('.') && new DirectoryInfo(path).LinkTarget is null && WorkspaceMark.Read(path) is { } mark && mark.RunId == Path.GetFileName(path));

    [SuppressMessage("Design", "CA1031", Justification = "What one agent made of its workspace must not cost the others theirs, or the daemon.")]
    private async Task TendAsync(string directory, CancellationToken token)
    {
        var mark = WorkspaceMark.Read(directory);
        if (mark is null || (_failed.TryGetValue(mark.RunId, out var failed) && failed.NotBefore > Now && failed.NotBefore - Now <= failed.Pause.TotalMilliseconds))
        {
            return;
        }

        var began = time.GetTimestamp();
        try
        {
            await host.ReclaimAsync(mark.RunId, Clones.WorkOf(directory)); // After a power cut, or for a run that the store does not know.
            mark = Dated(directory, mark);
            if (NeedsLook(mark.Rescue))
            {
                await lost.OpenAsync(directory, mark, token);
                mark = await SaveAsync(directory, mark, token);
            }

            if (mark.Rescue is { IsSafe: true } note && IsDue(note))
            {
                await RemoveAsync(directory, token);
                LogWorkspaceRemoved(mark.RunId, mark.TaskId, note.Commit is null ? "all its work is on its branch" : $"its work is at {RefNames.Rescue(mark.TaskId, mark.Generation)}");
            }

            _failed.Remove(mark.RunId);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            var before = _failed.GetValueOrDefault(mark.RunId);
            var (pace, silence) = (KeeperPace.After(before.Pause, time.GetElapsedTime(began)), _silent.Of(mark.Repository, Now)?.Left ?? TimeSpan.Zero);
            var pause = pace > silence ? pace : silence;
            _failed[mark.RunId] = (pause, Now + (long)pause.TotalMilliseconds, fault.Message);
            if (before.Said != fault.Message)
            {
                LogRescueFailed(mark.RunId, mark.TaskId, directory, fault.Message);
            }

            Note(directory, mark, fault.Message);
        }
    }

    // For whoever looks: why it is still there. Where the clone could not be looked at there is no note of it yet.
    private void Note(string directory, WorkspaceMark mark, string problem)
    {
        try
        {
            var known = WorkspaceMark.Read(directory)?.Rescue ?? mark.Rescue ?? new RescueNote(Now, Now, null, Pushed: false, Kept: null);
            (mark with { Rescue = known with { Problem = Printable.Cut(problem, 500) } }).Write(directory);
        }
        catch (Exception full) when (full is IOException or UnauthorizedAccessException)
        {
            // The log has it.
        }
    }

    private async Task<WorkspaceMark> SaveAsync(string directory, WorkspaceMark mark, CancellationToken token)
    {
        var (note, problem) = await rescue.SaveAsync(directory, mark, names => AskAsync(mark, names, token), token);
        CrashPoints.At(CrashPointName.Rescued);
        var saved = mark with { Rescue = note };
        saved.Write(directory);
        if (note.Commit is not null && note.Commit != mark.Rescue?.Commit)
        {
            LogWorkRescued(mark.RunId, mark.TaskId, RefNames.Rescue(mark.TaskId, mark.Generation), note.Commit, note.Pushed ? "on the origin" : $"in {directory}");
        }

        if (note.Kept is not null && note.Kept != mark.Rescue?.Kept)
        {
            LogWorkspaceKept(mark.RunId, mark.TaskId, directory, note.Kept);
        }

        return problem is null ? saved : throw problem;
    }

    // Without the origin the work can still be saved here. One that says nothing takes the time of one workspace, and no more than a short question where that is its first look.
    private async Task<(RemoteRefs? Refs, GitException? Unasked)> AskAsync(WorkspaceMark mark, string[] names, CancellationToken token)
    {
        if (_silent.Of(mark.Repository, Now) is { } silence)
        {
            return (null, silence.Fault);
        }

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = _failed.ContainsKey(mark.RunId) ? null : time.CancelAfter(limited, LongestFirstAnswer);
        var began = time.GetTimestamp();
        GitException? unasked = null;
        try
        {
            return (await origin.RefsAsync(mark.Repository, limited.Token, names), null);
        }
        catch (GitException fault)
        {
            return (null, unasked = fault);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return (null, unasked = new GitException(GitFaults.TimedOut, $"the origin did not answer within {LongestFirstAnswer.TotalSeconds:0} s", "look at the origin and the way to it"));
        }
        finally
        {
            _silent.Asked(mark.Repository, unasked, time.GetElapsedTime(began), Now);
        }
    }

    // Never looked at, not on the origin yet, or about to go. What is kept for a reason changes only by hand, so once an hour is enough.
    private bool NeedsLook(RescueNote? note) => note is null || note.Problem is not null || (note.IsSafe && IsDue(note))
        || (note.Kept is null ? !note.Pushed : Math.Abs(Now - note.AtUnixMs) > LookAgain.TotalMilliseconds);

    private bool IsDue(RescueNote note) => Now - note.EndedAtUnixMs >= config.Workspace.KeepFor.TotalMilliseconds || IsDiskLow();

    // One that ended in the future was dated by a clock that was wrong: its time counts from now.
    private WorkspaceMark Dated(string directory, WorkspaceMark mark)
    {
        if (mark.Rescue is not { } note || note.EndedAtUnixMs < Now + LookAgain.TotalMilliseconds)
        {
            return mark;
        }

        var dated = mark with { Rescue = note with { EndedAtUnixMs = Now } };
        dated.Write(directory);
        return dated;
    }

    private bool IsDiskLow()
    {
        var (space, limits) = (DiskSpace.At(config.StateDirectory), config.SelfTest);

        // A quarter above the floor: below it no work is taken.
        return space.Bytes < limits.DiskFloorBytes * 1.25 || space.Inodes < limits.DiskFloorInodes * 1.25;
    }

    // Renamed first: half a workspace must not look like one. Somebody who still works there would write into what is being removed.
    private async Task RemoveAsync(string directory, CancellationToken token)
    {
        if (WorkingDirectories.ProcessesIn(directory) is [var busy, ..])
        {
            throw new IOException($"process {busy.Pid} still works there");
        }

        var gone = Path.Combine(Clones.Root(config), Clones.Removing + Path.GetFileName(directory));
        Directory.Move(directory, gone);
        await TreeRemoval.RemoveAsync(tools, gone, token);
    }

    /// <summary>Part of the start, before anything is made: what was being made when the last process ended gets a name that says it may go.</summary>
    public void Begin()
    {
        runs.Ended += () =>
        {
            if (_nudge.CurrentCount == 0)
            {
                _nudge.Release();
            }
        };
        EndLeftoverGit();
        foreach (var directory in Clones.In(Clones.Root(config), $"{Clones.Making}*").Concat(Clones.In(Mirrors.DirectoryOf(config), "*.making-*")))
        {
            Directory.Move(directory, Path.Combine(Path.GetDirectoryName(directory)!, $"{Clones.Removing}{Guid.NewGuid():N}"));
        }
    }

    // The git of a daemon that was killed goes on, for ever where an origin says nothing, and holds locks that the next one needs.
    private void EndLeftoverGit()
    {
        foreach (var process in new[] { Mirrors.DirectoryOf(config), Clones.Root(config) }.SelectMany(WorkingDirectories.ProcessesIn))
        {
            if (ProcessEnvironments.Carries(process.Pid, Git.OwnMark))
            {
                Signals.ToProcess(process.Pid, Signals.Kill);
            }
        }
    }

    // Nobody's work is in these: a clone that no agent has seen, a workspace whose work was proved to be on the origin, a mirror.
    private async Task RemoveLeftoversAsync(CancellationToken token)
    {
        var replaced = Marked().Any() ? [] : Clones.In(Mirrors.DirectoryOf(config), "*.replaced-*");
        foreach (var directory in Clones.In(Clones.Root(config), $"{Clones.Removing}*").Concat(Clones.In(Mirrors.DirectoryOf(config), $"{Clones.Removing}*")).Concat(replaced))
        {
            try
            {
                if (replaced.Contains(directory))
                {
                    MirrorSwap.Forget(MirrorSwap.MirrorOf(directory), directory);
                }

                await TreeRemoval.RemoveAsync(tools, directory, token);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                if (_staying.Add(directory))
                {
                    LogNotRemoved(directory, fault.Message);
                }
            }
        }
    }

    [LoggerMessage(EventIds.WorkRescued, LogLevel.Warning, "{Run}: work that {Task} left uncommitted or unpushed is kept as {Ref}, commit {Commit}, {Where}", EventName = "WorkRescued")]
    private partial void LogWorkRescued(string run, string task, string @ref, string commit, string where);

    [LoggerMessage(EventIds.RescueFailed, LogLevel.Warning, "{Run}: the workspace of {Task} in {Directory} is kept: {Reason}; trying again", EventName = "RescueFailed")]
    private partial void LogRescueFailed(string run, string task, string directory, string reason);

    [LoggerMessage(EventIds.WorkspaceRemoved, LogLevel.Information, "{Run}: removed the workspace of {Task}; {Proof}", EventName = "WorkspaceRemoved")]
    private partial void LogWorkspaceRemoved(string run, string task, string proof);

    [LoggerMessage(EventIds.WorkspaceKept, LogLevel.Warning, "{Run}: the workspace of {Task} in {Directory} stays for good: {Reason}; look at it and remove it by hand", EventName = "WorkspaceKept")]
    private partial void LogWorkspaceKept(string run, string task, string directory, string reason);

    [LoggerMessage(EventIds.LeftoverStays, LogLevel.Warning, "the leftover {Directory} could not be removed: {Reason}; trying again", EventName = "LeftoverStays")]
    private partial void LogNotRemoved(string directory, string reason);
}
