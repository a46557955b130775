using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>The look at one workspace whose run is over: saves what is in there, removes it where its work is proved to be on the origin, and says when it has its next turn. Several may be looked at at once.</summary>
internal sealed partial class WorkspaceTender(SidecarConfig config, IAgentHost host, Rescue rescue, Origin origin, LostMarks lost, ToolRunner tools, TimeProvider time, ILogger log)
{
    // An origin that is there answers a question about names in less.
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeptInterval = TimeSpan.FromHours(1), LongLookPause = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, Failed> _failed = new();
    private readonly ConcurrentDictionary<string, byte> _busy = new(), _removing = new();
    private readonly SilentOrigins _silent = new();
    private Task _removals = Task.CompletedTask;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Whether the last look at it came to nothing.</summary>
    public bool HasFailed(string directory) => _failed.ContainsKey(Path.GetFileName(directory));

    /// <summary>When one that failed has its next turn, unix milliseconds.</summary>
    public long NotBefore(string directory) => _failed.TryGetValue(Path.GetFileName(directory), out var failed) ? failed.NotBefore : 0;

    /// <summary>Whether it failed, and has its turn again.</summary>
    public bool IsDueAgain(string directory) => _failed.TryGetValue(Path.GetFileName(directory), out var failed) && !failed.IsWaiting(Now);

    /// <summary>Whether its origin did not answer when it was asked last: a look may take its whole time.</summary>
    public bool HasSilentOrigin(string directory) => WorkspaceMark.Read(directory) is { } mark && _silent.Knows(mark.Repository);

    /// <summary>Whether a directory is being removed this moment.</summary>
    public bool IsRemoving(string directory) => _removing.ContainsKey(directory);

    /// <summary>How long until one that failed has its turn; without an end where none has.</summary>
    public TimeSpan UntilNext => _failed.Values.Select(failed => TimeSpan.FromMilliseconds(failed.NotBefore - Now)).DefaultIfEmpty(TimeSpan.MaxValue).Min();

    /// <summary>Forgets those that are not among these any more.</summary>
    public void KeepOnly(IReadOnlyCollection<string> directories)
    {
        foreach (var gone in _failed.Keys.Except(directories.Select(path => Path.GetFileName(path))).ToList())
        {
            _failed.TryRemove(gone, out _);
        }

        _silent.KeepOnly(directories.Select(WorkspaceMark.Read).OfType<WorkspaceMark>().Select(mark => mark.Repository));
    }

    /// <param name="directory">The workspace's.</param>
    /// <param name="limit">After this the look is given up, and comes again soon.</param>
    /// <param name="token">Ends it.</param>
    public async Task TendAsync(string directory, TimeSpan limit, CancellationToken token)
    {
        if (!_busy.TryAdd(directory, 0))
        {
            return; // A look that takes long goes on.
        }

        try
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
            using var alarm = time.CancelAfter(limited, limit);
            await TendAsync(directory, limited.Token, token);
        }
        finally
        {
            _busy.TryRemove(directory, out _);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "What one agent made of its workspace must not cost the others theirs, or the daemon.")]
    private async Task TendAsync(string directory, CancellationToken token, CancellationToken stopping)
    {
        var mark = WorkspaceMark.Read(directory);
        if (mark is null)
        {
            return;
        }

        if (_failed.GetValueOrDefault(mark.RunId) is var failed && failed?.IsWaiting(Now) == true)
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
                var proof = note.Commit is null ? "all its work is on its branch" : $"its work is at {RefNames.Rescue(mark.TaskId, mark.Generation)}";
                Remove(directory, () => LogWorkspaceRemoved(mark.RunId, mark.TaskId, proof), stopping);
            }

            _failed.TryRemove(mark.RunId, out _);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            _failed[mark.RunId] = new Failed(LongLookPause, Now + (long)LongLookPause.TotalMilliseconds, failed?.Said ?? "");
        }
        catch (Exception fault) when (!(fault is OperationCanceledException && stopping.IsCancellationRequested))
        {
            var (pace, silence) = (KeeperPace.After(failed?.Pause ?? TimeSpan.Zero, time.GetElapsedTime(began)), _silent.Of(mark.Repository, Now)?.Left ?? TimeSpan.Zero);
            var pause = pace > silence ? pace : silence;
            _failed[mark.RunId] = new Failed(pause, Now + (long)pause.TotalMilliseconds, fault.Message);
            if (failed?.Said != fault.Message)
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
        var (note, problem) = await rescue.SaveAsync(directory, mark, names => AskAsync(mark.Repository, names, token), token);
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

    // Without the origin the work can still be saved here. One that says nothing takes the time of one workspace, not of all that came from it.
    private async Task<(RemoteRefs? Refs, GitException? Unasked)> AskAsync(string repository, string[] names, CancellationToken token)
    {
        if (_silent.Of(repository, Now) is { } silence)
        {
            return (null, silence.Fault);
        }

        var began = time.GetTimestamp();
        var isAnswered = false;
        GitException? unasked = null;
        try
        {
            var refs = await origin.RefsAsync(repository, token, names);
            isAnswered = true;
            return (refs, null);
        }
        catch (GitException fault)
        {
            return (null, unasked = fault);
        }
        catch (OperationCanceledException) when (time.GetElapsedTime(began) > LongestAnswer)
        {
            unasked = new GitException(GitFaults.TimedOut, $"no answer within {time.GetElapsedTime(began).TotalSeconds:0} s", "look at the origin and the way to it");
            throw;
        }
        finally
        {
            if (isAnswered || unasked is not null)
            {
                _silent.Asked(repository, unasked, time.GetElapsedTime(began), Now);
            }
        }
    }

    // Never looked at, not on the origin yet, or about to go. What is kept for a reason changes only by hand, so once an hour is enough.
    private bool NeedsLook(RescueNote? note) => note is null || note.Problem is not null || (note.IsSafe && IsDue(note))
        || (note.Kept is null ? !note.Pushed : Math.Abs(Now - note.AtUnixMs) > KeptInterval.TotalMilliseconds);

    private bool IsDue(RescueNote note) => Now - note.EndedAtUnixMs >= config.Workspace.KeepFor.TotalMilliseconds || IsDiskLow();

    // One that ended in the future was dated by a clock that was wrong: its time counts from now.
    private WorkspaceMark Dated(string directory, WorkspaceMark mark)
    {
        if (mark.Rescue is not { } note || note.EndedAtUnixMs < Now + KeptInterval.TotalMilliseconds)
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

    // Renamed first: half a workspace must not look like one. A process that still works there would write into what is being removed.
    private void Remove(string directory, Action removed, CancellationToken stopping)
    {
        if (WorkingDirectories.ProcessesIn(directory) is [var busy, ..])
        {
            throw new IOException($"process {busy.Pid} still works there");
        }

        var gone = Path.Combine(Clones.Root(config), Clones.Removing + Path.GetFileName(directory));
        _removing[gone] = 0;
        try
        {
            Directory.Move(directory, gone);
        }
        catch
        {
            _removing.TryRemove(gone, out _);
            throw;
        }

        lock (_removing)
        {
            _removals = RemoveAfterAsync(_removals, gone, removed, stopping);
        }
    }

    // One after the other, and beside the looks: a large tree takes minutes.
    private async Task RemoveAfterAsync(Task before, string gone, Action removed, CancellationToken stopping)
    {
        await before;
        try
        {
            await TreeRemoval.RemoveAsync(tools, gone, stopping);
            removed();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or SidecarException or OperationCanceledException)
        {
            // It lies among the leftovers: the next pass over them tries again and says why.
        }
        finally
        {
            _removing.TryRemove(gone, out _);
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

    /// <param name="Pause">How long the pause was when it began: a clock that was set back prolongs none.</param>
    /// <param name="NotBefore">When the pause is over, unix milliseconds.</param>
    /// <param name="Said">What the log has been told.</param>
    private sealed record Failed(TimeSpan Pause, long NotBefore, string Said)
    {
        public bool IsWaiting(long now) => NotBefore > now && NotBefore - now <= Pause.TotalMilliseconds;
    }
}
