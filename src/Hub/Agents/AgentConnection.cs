using System.Net.WebSockets;
using System.Threading.Channels;
using FleetHub.Tasks;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;

namespace FleetHub.Agents;

/// <summary>One identified connection of an agent, and what the agent last said of itself.</summary>
internal sealed class AgentConnection(FrameSocket socket, SidecarMessage.Identify identify, int version, long epoch, DateTimeOffset connectedAt, long seen) : IDisposable
{
    // An agent that does not read is cut off rather than waited for; what it missed comes again when it is back.
    private const int MostWaiting = 256;
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(5);

    // An agent has at most 64 slots, so what it was given before the last 256 assignments is accepted or taken back.
    private const int MaxAssignmentsRemembered = 256;

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<HubMessage> _out = Channel.CreateBounded<HubMessage>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly Dictionary<string, int> _missed = [];
    private readonly Lock _assigning = new();
    private readonly Queue<(string TaskId, long? Generation)> _assigned = new();
    private long _heldUntil;
    private long _seen = seen;

    public string AgentId => identify.AgentId;

    public string Name => identify.Name ?? identify.AgentId;

    public IReadOnlyList<string> Capabilities => identify.Capabilities ?? [];

    public string Client => $"{identify.ClientType} {identify.ClientVersion}".Trim();

    /// <summary>The process at the other end; null where it does not name itself.</summary>
    public string? InstanceId => identify.InstanceId;

    /// <summary>The change by which this connection lost the identity. Belongs to the registry's lock.</summary>
    public IdentityChange? TakenFrom { get; set; }

    public int Version => version;

    public long Epoch => epoch;

    public DateTimeOffset ConnectedAt => connectedAt;

    /// <summary>The newest heartbeat; a version 1 agent never has one.</summary>
    public SidecarMessage.Heartbeat? Heartbeat { get; private set; }

    /// <summary>When anything last came, on the monotonic clock.</summary>
    public long Seen => Volatile.Read(ref _seen);

    public bool IsAvailable => version == ProtocolVersions.V1 || Heartbeat is { Available: true };

    public void Touch(long now) => Volatile.Write(ref _seen, now);

    /// <summary>Leaves the agent alone for a while after it turned work down.</summary>
    public void Hold(long until) => Volatile.Write(ref _heldUntil, until);

    public long HeldUntil => Volatile.Read(ref _heldUntil);

    public Candidate AsCandidate(int held, long timestamp) => new(AgentId, [.. Capabilities],
        IsAvailable && timestamp >= HeldUntil ? (Heartbeat?.Slots ?? 1) - held : 0);

    /// <summary>Takes a heartbeat; returns the tasks that it has left out for the second time running.</summary>
    public List<string> Hear(SidecarMessage.Heartbeat heartbeat, IEnumerable<TaskRecord> working)
    {
        Heartbeat = heartbeat;
        var known = heartbeat.Runs.Select(run => run.TaskId).ToHashSet();
        var missing = working.Where(task => !known.Contains(task.Id)).Select(task => task.Id).ToList();
        foreach (var id in _missed.Keys.Except(missing).ToList())
        {
            _missed.Remove(id);
        }

        // Once may be a heartbeat that was put together just before the acceptance.
        return [.. missing.Where(id => (_missed[id] = _missed.GetValueOrDefault(id) + 1) >= 2)];
    }

    public void Send(HubMessage message)
    {
        if (!_out.Writer.TryWrite(message))
        {
            socket.Abort();
        }
    }

    /// <summary>Gives an assignment once: the scheduler and the repetition on a new connection may both have it.</summary>
    public void Assign(HubMessage.TaskAssign assign)
    {
        lock (_assigning)
        {
            if (_assigned.Contains((assign.TaskId, assign.Generation)))
            {
                return;
            }

            if (_assigned.Count == MaxAssignmentsRemembered)
            {
                _assigned.Dequeue();
            }

            _assigned.Enqueue((assign.TaskId, assign.Generation));
            Send(assign);
        }
    }

    /// <summary>Sends what waits until the connection ends.</summary>
    public async Task PumpAsync(CancellationToken token)
    {
        await foreach (var message in _out.Reader.ReadAllAsync(token))
        {
            await socket.SendAsync(Frame.Write(message), token);
        }
    }

    /// <summary>Tells the peer why, says goodbye, and cuts the connection where the peer does not answer in time.</summary>
    public async Task EndAsync(HubMessage.Error why, TimeProvider time, string? closeReason = null)
    {
        try
        {
            await socket.SendAsync(Frame.Write(why), CancellationToken.None);
            await socket.CloseAsync(WebSocketCloseStatus.PolicyViolation, closeReason ?? why.Code, CancellationToken.None);

            // Cut at once, the words would be lost with it; the reader of this connection ends when the peer has answered.
            await _ended.Task.WaitAsync(Goodbye, time);
        }
        catch (Exception gone) when (gone is WebSocketException or TimeoutException or ObjectDisposedException)
        {
        }

        socket.Abort();
    }

    public void Abort() => socket.Abort();

    public void Dispose()
    {
        _out.Writer.TryComplete();
        _ended.TrySetResult();
    }
}
