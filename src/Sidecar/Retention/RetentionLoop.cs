using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Retention;

/// <summary>Sees to it that what settled runs leave stays bounded: looks every minute, and near the disk floor after each run.</summary>
internal sealed partial class RetentionLoop(
    SidecarConfig config, RetentionPass pass, Store store, StoreReserve reserve, RunLoop runs, SelfTestLoop selfTest, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<RetentionLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const long Mebibyte = 1024 * 1024;

    // One call to the file system; a disk fills within seconds.
    private static readonly TimeSpan FloorLook = TimeSpan.FromSeconds(5);

    // A removal of a tree has ten minutes, twice; taking a directory back from an agent's unit a few more.
    private static readonly TimeSpan MaxPassTime = TimeSpan.FromMinutes(40);

    private readonly SemaphoreSlim _nudge = new(0, 1);
    private readonly HashSet<string> _said = [];
    private RetentionView? _view;

    /// <summary>What was kept after the last look; null before the first one.</summary>
    public RetentionView? View => Volatile.Read(ref _view);

    /// <summary>Part of the start: from here on the loop hears of each run that ends.</summary>
    public void Begin() => runs.Ended += () =>
    {
        if (_nudge.CurrentCount == 0)
        {
            _nudge.Release();
        }
    };

    protected override async Task RunAsync(CancellationToken stopping)
    {
        long? last = null;
        while (true)
        {
            Pulse.Beat(MaxPassTime);
            OwnModes.Restore(config);
            if (last is null || time.GetElapsedTime(last.Value) >= config.Retention.Interval || !pass.Shortage().IsNone)
            {
                last = time.GetTimestamp();
                ClaimRoom(); // A first pass can be long, and work may come before its end.
                await PassAsync(stopping);
                ClaimRoom();
            }

            // No agent is left who would take it, and the look at what one has done, its push and a rescue need a little of the disk.
            if (runs.Snapshot.All(run => (run.State.IsFinal() || run.State == RunState.Submitting || (run.State == RunState.Verifying && reserve.IsWanted)) && !run.ProcessMayLive) && reserve.GiveUpIfFull(inodesToo: true))
            {
                LogReserveGivenUp();
            }

            Pulse.Beat();
            await _nudge.WaitAsync(config.Retention.Interval < FloorLook ? config.Retention.Interval : FloorLook, stopping);
        }
    }

    private void ClaimRoom()
    {
        if (reserve.MakeIfThereIsRoom(config.SelfTest.DiskFloorBytes, config.SelfTest.DiskFloorInodes) is > 0 and var bytes)
        {
            store.ClaimRoom(bytes);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "What one agent left must not end the daemon; it is said once and looked at again.")]
    private async Task PassAsync(CancellationToken stopping)
    {
        try
        {
            RetentionOutcome outcome;
            do
            {
                outcome = await pass.RunAsync(stopping);
                Volatile.Write(ref _view, outcome.View);
                Tell(outcome);
                Pulse.Beat(MaxPassTime);
            }
            while (outcome.MoreToDo);

            // Where the self-test has found the disk full, work is taken again at once and not at its next turn.
            if (!outcome.Shortage.IsNone && (outcome.Removed.Count > 0 || outcome.Mirror is not null || outcome.Shrunk) && pass.Shortage().IsNone && selfTest.Last is { Passed: false })
            {
                await selfTest.RunOnceAsync(stopping);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            Fail(fault.Message, (fault as SidecarException)?.Hint ?? "see what the line names");
        }
    }

    private void Tell(RetentionOutcome outcome)
    {
        var all = outcome.Removed.Where(removal => removal.Scope == RemovalScope.All).ToList();
        if (all.Count > 0)
        {
            LogRunsRemoved(all.Count, all.Sum(removal => removal.Run.Bytes) / Mebibyte, outcome.View.Runs);
        }

        var files = outcome.Removed.Where(removal => removal.Scope == RemovalScope.Files).ToList();
        if (files.Count > 0)
        {
            LogRunFilesRemoved(files.Count, files.Sum(removal => removal.Run.FileBytes) / Mebibyte);
        }

        if (outcome.Mirror is not null)
        {
            LogMirrorRemoved(outcome.Mirror);
        }

        if (outcome.Shrunk)
        {
            LogStoreShrunk(outcome.View.StoreBytes / Mebibyte);
        }

        if (outcome.Displaced > 0)
        {
            LogDisplacedRemoved(outcome.Displaced);
        }

        foreach (var problem in outcome.Problems)
        {
            Fail(problem, "look at the directory named there");
        }

        if (outcome.Problems.Count == 0)
        {
            _said.Clear();
        }
    }

    // Once, until a look goes well: it is tried again every minute.
    private void Fail(string problem, string hint)
    {
        if (_said.Count < 100 && _said.Add(problem))
        {
            LogRetentionFailed(problem, hint);
        }
    }

    [LoggerMessage(EventIds.RunsRemoved, LogLevel.Information, "removed {Count} settled runs, {Mebibytes} MiB; {Kept} are kept (section retention)", EventName = "RunsRemoved")]
    private partial void LogRunsRemoved(int count, long mebibytes, int kept);

    [LoggerMessage(EventIds.RunFilesRemoved, LogLevel.Warning, "the disk is near its floor: removed the files of the {Count} oldest settled runs, {Mebibytes} MiB; what became of their tasks is still known", EventName = "RunFilesRemoved")]
    private partial void LogRunFilesRemoved(int count, long mebibytes);

    [LoggerMessage(EventIds.ReserveGivenUp, LogLevel.Warning, "the disk is full, and the reserve beside the store was given up so that what the last runs left can be saved; free space", EventName = "ReserveGivenUp")]
    private partial void LogReserveGivenUp();

    [LoggerMessage(EventIds.MirrorRemoved, LogLevel.Warning, "the disk is near its floor and no run has files that could go: removed {Mirror}, a copy of a repository that no workspace borrows from; the next task of it fetches all again", EventName = "MirrorRemoved")]
    private partial void LogMirrorRemoved(string mirror);

    [LoggerMessage(EventIds.RetentionFailed, LogLevel.Warning, "something that should go stays: {Problem}; {Hint}; trying again", EventName = "RetentionFailed")]
    private partial void LogRetentionFailed(string problem, string hint);

    [LoggerMessage(EventIds.DisplacedRemoved, LogLevel.Warning, "removed {Count} files or directories that something had put in the place of the sidecar's own, beside which they were kept (NAME.replaced-*)", EventName = "DisplacedRemoved")]
    private partial void LogDisplacedRemoved(int count);

    [LoggerMessage(EventIds.StoreShrunk, LogLevel.Information, "the store's file was written again without its free pages, {Mebibytes} MiB", EventName = "StoreShrunk")]
    private partial void LogStoreShrunk(long mebibytes);
}
