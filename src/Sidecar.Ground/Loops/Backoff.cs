namespace FleetSidecar.Ground.Loops;

/// <summary>Pauses that double from one attempt to the next.</summary>
public static class Backoff
{
    // Beyond it the number no longer fits a time span, and every pause that anybody waits for is longer than that already.
    private const int LongestDoubling = 30;

    /// <summary>The pause after an attempt.</summary>
    /// <param name="first">After the first attempt.</param>
    /// <param name="attempt">1 for the first, however many there are.</param>
    /// <param name="most">No pause is longer.</param>
    public static TimeSpan After(TimeSpan first, int attempt, TimeSpan most)
    {
        var milliseconds = first.TotalMilliseconds * Math.Pow(2, Math.Clamp(attempt - 1, 0, LongestDoubling));
        return milliseconds < most.TotalMilliseconds ? TimeSpan.FromMilliseconds(milliseconds) : most;
    }
}
