namespace FleetSidecar.Ground.Loops;

/// <summary>Time limits by a clock that tests can set.</summary>
public static class TimeLimit
{
    /// <summary>Cancels a source when the limit is over, unless the timer is disposed first.</summary>
    /// <remarks>To dispose a timer does not wait for a call that is under way; by then its user may have disposed the source as well, and
    /// what a timer's call throws ends the process.</remarks>
    public static ITimer CancelAfter(this TimeProvider time, CancellationTokenSource source, TimeSpan limit) => time.CreateTimer(
        _ =>
        {
            try
            {
                source.Cancel();
            }
            catch (ObjectDisposedException)
            {
            }
        },
        null, limit, Timeout.InfiniteTimeSpan);
}
