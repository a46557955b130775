using System.Threading.Channels;
using FleetHub.Agents;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>Assigns what can be assigned whenever something changed or a deadline passed. One loop, so no task is given away twice.</summary>
internal sealed partial class Scheduler : DaemonLoop
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(30), ShortestSleep = TimeSpan.FromMilliseconds(1), StoreRetry = TimeSpan.FromSeconds(1);

    // One waiting wake-up is enough: the next pass sees everything.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskQueue _queue;
    private readonly AgentRegistry _agents;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    public Scheduler(TaskQueue queue, AgentRegistry agents, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<Scheduler> log)
        : base(verdict, lifetime, log)
    {
        (_queue, _agents, _time, _log) = (queue, agents, time, log);
        queue.Changed = Wake;
        agents.Changed = Wake;
    }

    public void Wake() => _wake.Writer.TryWrite(true);

    protected override async Task RunAsync(CancellationToken stopping)
    {
        while (true)
        {
            var sleep = LongestSleep;
            try
            {
                var connected = _agents.Connected;
                var pass = await _queue.AssignAsync(connected);
                foreach (var (agentId, assign) in pass.Assigned)
                {
                    LogAssigned(assign.TaskId, assign.Generation ?? 0, agentId);
                    Give(agentId, assign, connected);
                }

                sleep = UntilNextDeadline(pass);
            }
            catch (StoreUnavailableException fault)
            {
                LogStoreUnavailable(fault.Message, fault.Hint, StoreRetry);
                sleep = StoreRetry;
            }

            await WaitAsync(sleep, stopping);
        }
    }

    // A connection that is gone meanwhile gets it when it comes back. One that came meanwhile may have had it, and done it, on another
    // connection in between: it gets only what still waits for an answer.
    private void Give(string agentId, HubMessage.TaskAssign assign, IReadOnlyList<AgentConnection> connected)
    {
        if (_agents.Find(agentId) is { } connection
            && (connected.Contains(connection) || _queue.Unaccepted(agentId).Exists(held => (held.TaskId, held.Generation) == (assign.TaskId, assign.Generation))))
        {
            connection.Assign(assign);
        }
    }

    private async Task WaitAsync(TimeSpan sleep, CancellationToken stopping)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var alarm = _time.CancelAfter(limited, sleep);
        try
        {
            await _wake.Reader.ReadAsync(limited.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
        }
    }

    private TimeSpan UntilNextDeadline(AssignPass pass)
    {
        var released = _agents.NextRelease(pass.AtTimestamp) ?? LongestSleep;
        var due = _queue.NextDeadline(pass) is { } at ? TimeSpan.FromMilliseconds(at - _time.GetUtcNow().ToUnixTimeMilliseconds()) : LongestSleep;
        var first = new[] { released, due, LongestSleep }.Min();
        return first > ShortestSleep ? first : ShortestSleep;
    }

    [LoggerMessage(HubEvents.Assigned, LogLevel.Information, "{Task} generation {Generation} assigned to {Agent}", EventName = "Assigned")]
    private partial void LogAssigned(string task, long generation, string agent);

    [LoggerMessage(HubEvents.StoreUnavailable, LogLevel.Error, "{Message}; {Hint}; trying again in {Delay}", EventName = "StoreUnavailable")]
    private partial void LogStoreUnavailable(string message, string hint, TimeSpan delay);
}
