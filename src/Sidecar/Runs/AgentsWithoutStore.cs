using System.Collections.Immutable;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Storage;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>What still happens to agents while no decision can be stored. The wall clock is read off what is stored already, so a stop by
/// it needs no commit: a start after a crash in between comes to the same.</summary>
internal sealed partial class AgentsWithoutStore(RunDeadlines deadlines, RunOrders work, SidecarConfig config, TimeProvider time, ILogger log)
{
    // A backup or a hand at the store takes less.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HashSet<string> _stopped = [];
    private Task _ending = Task.CompletedTask;
    private long? _since;

    /// <summary>The store takes commits again.</summary>
    public void Recovered()
    {
        _since = null;
        _stopped.Clear();
    }

    /// <summary>Called at each try that failed.</summary>
    public void Look(ImmutableArray<Run> open, StoreUnavailableException fault, CancellationToken stopping)
    {
        _since ??= time.GetTimestamp();
        if (fault.IsLocked && time.GetElapsedTime(_since.Value) >= Patience && _ending.IsCompleted)
        {
            _ending = Task.Run(EndHolders, CancellationToken.None);
        }

        foreach (var run in open.Where(run => IsPastWallClock(run) && _stopped.Add(run.Id)))
        {
            LogStoppedWithoutStore(run.Id, run.TaskId);
            _ = Task.Run(() => work.StopNowAsync(run, stopping), CancellationToken.None); // A look at all processes is no work for the loop.
        }
    }

    private void EndHolders()
    {
        if (StoreHolders.End(config) is var ended and > 0)
        {
            LogStoreHolderEnded(ended);
        }
    }

    // The wall clock alone: what ends another deadline may have been learned already and wait for its commit.
    private bool IsPastWallClock(Run run) => run.State == RunState.Working && !run.IsEnding && run.ProcessMayLive && run.Process is { } process && process.IsAlive() && deadlines.HasPassed(run);

    [LoggerMessage(EventIds.StoreHolderEnded, LogLevel.Error, "an agent had locked the store, and no decision could be stored: killed {Count} of its processes", EventName = "StoreHolderEnded")]
    private partial void LogStoreHolderEnded(int count);

    [LoggerMessage(EventIds.StoppedWithoutStore, LogLevel.Warning, "{Run} stopping the agent of {Task}: its deadline has passed; the outcome is stored and reported when the store can be written", EventName = "StoppedWithoutStore")]
    private partial void LogStoppedWithoutStore(string run, string task);
}
