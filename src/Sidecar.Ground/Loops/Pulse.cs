namespace FleetSidecar.Ground.Loops;

/// <summary>A loop's word that it will be seen again: each time it comes by, it says within what time it comes by next.</summary>
/// <remarks>Says nothing of whether the loop's work succeeds: a loop that waits for a dead hub keeps its word.</remarks>
public sealed class Pulse(string name)
{
    private readonly TimeProvider _time = TimeProvider.System;
    private long _seen = TimeProvider.System.GetTimestamp();
    private long _within = TimeSpan.FromMinutes(2).Ticks; // For the first time, while everything starts.

    /// <summary>The word of a loop that does not say: a minute. Tests of a hung loop make it shorter, see <see cref="Processes.CrashPoints"/>.</summary>
    public static TimeSpan Usual { get; set; } = TimeSpan.FromMinutes(1);

    public string Name => name;

    /// <summary>The loop is here, and will be again within that time; <see cref="Usual"/> where it does not say.</summary>
    public void Beat(TimeSpan? within = null)
    {
        Volatile.Write(ref _within, (within ?? Usual).Ticks);
        Volatile.Write(ref _seen, _time.GetTimestamp());
    }

    /// <summary>How long the loop is overdue, or null while it keeps its word.</summary>
    public TimeSpan? Overdue
    {
        get
        {
            var late = _time.GetElapsedTime(Volatile.Read(ref _seen)) - TimeSpan.FromTicks(Volatile.Read(ref _within));
            return late > TimeSpan.Zero ? late : null;
        }
    }
}
