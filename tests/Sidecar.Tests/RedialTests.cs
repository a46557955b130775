using FleetSidecar.Link;

namespace FleetSidecar.Tests;

/// <summary>When to dial again.</summary>
public sealed class RedialTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(5, 32)]
    [InlineData(6, 60)]
    [InlineData(5000, 60)]
    public void The_bound_doubles_from_one_second_to_a_minute(int failures, int seconds)
    {
        Assert.Equal(TimeSpan.FromSeconds(seconds), Redial.Delay(failures, chance: 1));
        Assert.Equal(TimeSpan.Zero, Redial.Delay(failures, chance: 0));
    }

    [Theory]
    [InlineData(7, 7)]
    [InlineData(100_000, 300)]
    public void What_the_hub_asks_for_is_waited_out_up_to_five_minutes(int asked, int least) =>
        Assert.Equal(TimeSpan.FromSeconds(least), Redial.Delay(0, chance: 0, TimeSpan.FromSeconds(asked)));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(6, 32)]
    [InlineData(1000, 1440)]
    public void Whoever_is_superseded_again_and_again_waits_longer_each_time(int times, int minutes) =>
        Assert.Equal(TimeSpan.FromMinutes(minutes), Redial.AfterRefusal(TimeSpan.FromMinutes(1), times));

    [Theory]
    [InlineData(60, 1, 300, 300)]
    [InlineData(60, 5, 300, 960)]
    [InlineData(1, 1, 100_000, 300)]
    public void A_refusal_lasts_at_least_as_long_as_the_hub_asks_up_to_five_minutes(int interval, int times, int asked, int pause) =>
        Assert.Equal(TimeSpan.FromSeconds(pause), Redial.AfterRefusal(TimeSpan.FromSeconds(interval), times, TimeSpan.FromSeconds(asked)));

    [Fact]
    public void Heartbeats_of_a_fleet_spread_over_a_tenth_of_the_interval_and_one_agent_keeps_its_place()
    {
        var all = Enumerable.Range(0, 1000).Select(number => Redial.Spread(TimeSpan.FromSeconds(30), $"agent-{number}")).ToList();

        Assert.InRange(all.Min(), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30.2));
        Assert.InRange(all.Max(), TimeSpan.FromSeconds(32.8), TimeSpan.FromSeconds(33));
        Assert.Equal(all[7], Redial.Spread(TimeSpan.FromSeconds(30), "agent-7"));
    }

    [Theory]
    [InlineData("1008 cooldown active: retry in 30s", 30)]
    [InlineData("1008 cooldown active", null)]
    [InlineData("1006", null)]
    [InlineData("1008 retry in soon", null)]
    public void A_cool_down_in_the_closing_words_is_understood(string reason, int? seconds) =>
        Assert.Equal(seconds is { } given ? TimeSpan.FromSeconds(given) : null, Dialer.RetryIn(reason));
}
