using System.Collections.Concurrent;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
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
    // A first look that takes longer than its limit is repeated in a lane for long looks.
    private const int FirstLooksAtOnce = 6, LongLooksAtOnce = 2;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1), ShortestPause = TimeSpan.FromSeconds(2), LongestFirstLook = TimeSpan.FromSeconds(15);
    private readonly SemaphoreSlim _nudge = new(0, 1);
    private readonly HashSet<string> _staying = [];
    private readonly WorkspaceTender _tender = new(config, host, rescue, origin, lost, tools, time, log);
    private Task _longLooks = Task.CompletedTask;
    private long _longLooksBegan;

    protected override async Task RunAsync(CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        try
        {
            while (true)
            {
                OwnModes.Restore(config);
                await TryPassAsync("the leftovers of workspaces", () => RemoveLeftoversAsync(stopping), stopping);
                await TryPassAsync("marks of workspaces", () => Task.Run(WriteMarksAgain, stopping), stopping);
                Beat(LongestLook);
                await TryPassAsync("workspaces", () => LookAsync(ending.Token), stopping);
                var next = _longLooks.IsCompleted && _tender.UntilNext < Interval ? _tender.UntilNext : Interval;
                Beat(Interval + LongestLook);
                await _nudge.WaitAsync(next > ShortestPause ? next : ShortestPause, stopping);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await _longLooks.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Those that failed before have lanes of their own: an origin that says nothing takes its whole time there, and a run that ends meanwhile does not wait for it.
    private Task LookAsync(CancellationToken stopping)
    {
        var marked = Marked().ToList();
        _tender.KeepOnly(marked);
        if (_longLooks.IsCompleted && marked.Where(_tender.IsDueAgain).OrderBy(_tender.HasSilentOrigin).ThenBy(_tender.NotBefore).Take(LongLooksAtOnce).ToList() is { Count: > 0 } again)
        {
            _longLooksBegan = time.GetTimestamp();
            _longLooks = LongLooksAsync(again, stopping);
        }

        return TendAsync(marked.Where(directory => !_tender.HasFailed(directory)), FirstLooksAtOnce, LongestFirstLook, stopping);
    }

    private async Task LongLooksAsync(List<string> directories, CancellationToken stopping)
    {
        await TendAsync(directories, LongLooksAtOnce, LongestLook, stopping);
        Nudge();
    }

    private async Task TendAsync(IEnumerable<string> directories, int atOnce, TimeSpan limit, CancellationToken stopping)
    {
        var waiting = new ConcurrentQueue<string>(directories);
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (waiting.TryDequeue(out var directory))
            {
                if (!IsOpen(Path.GetFileName(directory)))
                {
                    await TryPassAsync(directory, () => _tender.TendAsync(directory, limit, stopping), stopping);
                    Beat(LongestLook);
                }
            }
        }));
    }

    // Long looks that are not over in their time stop the beat of the whole loop: the watchdog knows no other.
    private void Beat(TimeSpan next)
    {
        if (_longLooks.IsCompleted || time.GetElapsedTime(_longLooksBegan) < LongestLook + Interval)
        {
            Pulse.Beat(next);
        }
    }

    private void Nudge()
    {
        try
        {
            _nudge.Release();
        }
        catch (SemaphoreFullException)
        {
            // The next pass has been asked for.
        }
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

    // The directories first, the runs afterwards: a run is known before its workspace is there.
    private bool IsOpen(string runId) => runs.Snapshot.FirstOrDefault(run => run.Id == runId) is { } run && (!run.State.IsFinal() || run.ProcessMayLive);

    private IEnumerable<string> Marked() => Clones.In(Clones.Root(config), "*")
        .Where(path => !Path.GetFileName(path).StartsWith('.') && new DirectoryInfo(path).LinkTarget is null && WorkspaceMark.Read(path) is { } mark && mark.RunId == Path.GetFileName(path));

    /// <summary>Part of the start, before anything is made: what was being made when the last process ended gets a name that says it may go.</summary>
    public void Begin()
    {
        runs.Ended += Nudge;
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
        foreach (var directory in Clones.In(Clones.Root(config), $"{Clones.Removing}*").Concat(Clones.In(Mirrors.DirectoryOf(config), $"{Clones.Removing}*")).Concat(replaced).Where(path => !_tender.IsRemoving(path)))
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

    [LoggerMessage(EventIds.WorkspaceKept, LogLevel.Warning, "{Run}: the workspace of {Task} in {Directory} stays for good: {Reason}; look at it and remove it by hand", EventName = "WorkspaceKept")]
    private partial void LogWorkspaceKept(string run, string task, string directory, string reason);

    [LoggerMessage(EventIds.LeftoverStays, LogLevel.Warning, "the leftover {Directory} could not be removed: {Reason}; trying again", EventName = "LeftoverStays")]
    private partial void LogNotRemoved(string directory, string reason);
}
