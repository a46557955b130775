namespace FleetSidecar.Outbox;

/// <summary>What the hub has not acknowledged, in order, as the disk has it. Filled by the run loop after each commit, read by the pump.</summary>
/// <remarks>Bounded by the runs that are open: a run has at most three messages, and no run is accepted while the hub is away.</remarks>
internal sealed class OutboxQueue
{
    private readonly Lock _turn = new();
    private readonly List<OutboxMessage> _messages = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Count
    {
        get
        {
            lock (_turn)
            {
                return _messages.Count;
            }
        }
    }

    /// <summary>Ends at the next change. Take it before looking, so that no change is missed.</summary>
    public Task Changed
    {
        get
        {
            lock (_turn)
            {
                return _changed.Task;
            }
        }
    }

    public void Update(IReadOnlyCollection<OutboxMessage> added, IReadOnlyCollection<string> removed)
    {
        if (added.Count == 0 && removed.Count == 0)
        {
            return;
        }

        lock (_turn)
        {
            _messages.RemoveAll(message => removed.Contains(message.MessageId));
            _messages.AddRange(added);
            _changed.SetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public IReadOnlyList<OutboxMessage> Snapshot()
    {
        lock (_turn)
        {
            return [.. _messages];
        }
    }
}
