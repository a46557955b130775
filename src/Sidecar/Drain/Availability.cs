namespace FleetSidecar.Drain;

/// <summary>Why this machine takes no work at present, from everybody who has a say. Each owner sets and clears its own word.</summary>
/// <remarks>Read when an assignment is judged and when a heartbeat is made; a change makes the next heartbeat come at once.</remarks>
internal sealed class Availability
{
    private readonly Lock _turn = new();
    private readonly SortedDictionary<int, Closure> _closures = [];
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Ends at the next change.</summary>
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

    /// <summary>The weightiest reason to take no work, or null.</summary>
    public Closure? Closed => First(any: true);

    /// <summary>The same, for an assignment that is already here: <see cref="AvailabilitySource.Untested"/> does not count, the wake itself is the test then.</summary>
    public Closure? Refuses => First(any: false);

    /// <summary>Sets, or with null clears, one owner's reason.</summary>
    public void Say(AvailabilitySource source, Closure? closure)
    {
        TaskCompletionSource? signal = null;
        lock (_turn)
        {
            if (Equals(_closures.GetValueOrDefault((int)source), closure))
            {
                return;
            }

            if (closure is null)
            {
                _closures.Remove((int)source);
            }
            else
            {
                _closures[(int)source] = closure;
            }

            (signal, _changed) = (_changed, NewSignal());
        }

        signal.TrySetResult();
    }

    /// <summary>Has the hub hear all of it again, now: something else in a heartbeat has changed.</summary>
    public void Repeat()
    {
        TaskCompletionSource signal;
        lock (_turn)
        {
            (signal, _changed) = (_changed, NewSignal());
        }

        signal.TrySetResult();
    }

    private Closure? First(bool any)
    {
        lock (_turn)
        {
            return _closures.Where(closure => any || closure.Key != (int)AvailabilitySource.Untested).Select(closure => closure.Value).FirstOrDefault();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Who may keep this machine from taking work, weightiest first.</summary>
internal enum AvailabilitySource
{
    Stopping,
    Intake,
    SafeMode,
    Store,
    Berth,
    Breakers,
    SelfTest,
    Untested,
}
