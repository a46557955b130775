namespace FleetSidecar.Testing;

/// <summary>Waits for a fact, with a deadline that fails the test and says what was missing.</summary>
public static class Wait
{
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(30), Look = TimeSpan.FromMilliseconds(25);

    public static async Task UntilAsync(Func<bool> fact, string what, TimeSpan? limit = null) =>
        await ForAsync(() => Task.FromResult(fact() ? new object() : null), what, limit);

    public static async Task<T> ForAsync<T>(Func<Task<T?>> look, string what, TimeSpan? limit = null, TimeSpan? every = null)
        where T : class
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (await look() is { } found)
            {
                return found;
            }

            if (TimeProvider.System.GetElapsedTime(started) > (limit ?? Usual))
            {
                throw new TimeoutException($"waited {limit ?? Usual} for {what}");
            }

            await Task.Delay(every ?? Look, TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>Holds still while a fact must stay as it is.</summary>
    public static async Task WhileAsync(Func<bool> fact, string what, TimeSpan span)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < span)
        {
            if (!fact())
            {
                throw new InvalidOperationException($"no longer true: {what}");
            }

            await Task.Delay(Look, TimeProvider.System, CancellationToken.None);
        }
    }
}
