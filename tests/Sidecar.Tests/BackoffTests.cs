using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Tests;

/// <summary>Pauses double up to a limit, and no number of attempts breaks them.</summary>
public sealed class BackoffTests
{
    // An origin that was away for 40 minutes failed finished work: two to the power of 40 seconds is no time span.
    [Theory, InlineData(0, 1), InlineData(1, 1), InlineData(2, 2), InlineData(6, 32), InlineData(7, 60), InlineData(42, 60), InlineData(int.MaxValue, 60)]
    public void A_pause_doubles_and_has_an_end(int attempt, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Backoff.After(TimeSpan.FromSeconds(1), attempt, TimeSpan.FromMinutes(1)));
}
