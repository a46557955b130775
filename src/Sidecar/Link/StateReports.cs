using System.Collections.Concurrent;
using System.Net.WebSockets;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Link;

/// <summary>What one connection has reported of its runs, so that an answer counts for the generation that was reported and for no other.</summary>
/// <remarks>
/// A version 1 hub names no generation in its answer, and after a drop it gives the task out again under a higher one. Its
/// <c>abort</c> to the old report and its new assignment arrive in either order, so an abort waits a moment: when the run has
/// adopted a higher generation by then, the abort is void.
/// </remarks>
internal sealed class StateReports(FrameSocket connection, int version, HubInbox inbox, TimeProvider time)
{
    /// <summary>How long an abort of a version 1 hub waits for an assignment of the same task.</summary>
    private static readonly TimeSpan AbortGrace = TimeSpan.FromSeconds(2);

    // By task. As many as there are open runs; a task that is reported again takes the place of its old entry.
    private readonly ConcurrentDictionary<string, long> _reported = new();
    private readonly ConcurrentDictionary<string, Task> _aborts = new();

    /// <summary>Tells the hub where a run is. Dropped where the connection is gone: the next one reports again.</summary>
    public async Task SendAsync(Run run, CancellationToken token)
    {
        _reported[run.TaskId] = run.Generation;
        try
        {
            await connection.SendAsync(
                Frame.Write(new SidecarMessage.StateReport { TaskId = run.TaskId, Status = run.State.Word(), Generation = run.Generation }), token);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    /// <summary>Takes the hub's <c>abort</c> for the generation that was reported.</summary>
    public async Task HearAbortAsync(HubMessage.StateReportAck abort, CancellationToken token)
    {
        if (!_reported.TryGetValue(abort.TaskId, out var reported))
        {
            await inbox.TakeAsync(abort, version, token);
            return;
        }

        var about = abort with { Generation = abort.Generation ?? reported };
        if (version >= ProtocolVersions.V2)
        {
            await inbox.TakeAsync(about, version, token);
        }
        else
        {
            _aborts[abort.TaskId] = TakeLaterAsync(about, token);
        }
    }

    /// <summary>Returns when no abort waits any more; to be called after the connection's token has ended.</summary>
    public Task EndAsync() => Task.WhenAll(_aborts.Values);

    private async Task TakeLaterAsync(HubMessage.StateReportAck abort, CancellationToken token)
    {
        try
        {
            await Task.Delay(AbortGrace, time, token);
            await inbox.TakeAsync(abort, version, token);
        }
        catch (OperationCanceledException)
        {
            // The connection is over. The next one reports the run again, and the hub answers again.
        }
    }
}
