using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What cannot be looked at is tried again, and never takes more than its share.</summary>
public sealed class KeeperPaceTests
{
    [Fact]
    public void A_quick_failure_is_tried_again_soon_and_then_less_and_less_often()
    {
        var pause = TimeSpan.Zero;
        var pauses = Enumerable.Range(0, 12).Select(_ => pause = KeeperPace.After(pause, TimeSpan.FromMilliseconds(20))).ToList();

        Assert.Equal([2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600], pauses.Select(one => one.TotalSeconds));
    }

    [Theory]
    [InlineData(0, 5, 60)]
    [InlineData(0, 300, 3600)]
    [InlineData(3600, 300, 3600)]
    [InlineData(3600, 1, 600)]
    public void A_look_that_took_long_is_not_repeated_before_the_others_had_many_times_as_long(int before, int took, int pause) =>
        Assert.Equal(TimeSpan.FromSeconds(pause), KeeperPace.After(TimeSpan.FromSeconds(before), TimeSpan.FromSeconds(took)));
}
