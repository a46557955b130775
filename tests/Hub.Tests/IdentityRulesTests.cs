using FleetHub.Agents;

namespace FleetHub.Tests;

/// <summary>One sidecar in trouble, or two with one identity: what tells them apart.</summary>
public sealed class IdentityRulesTests
{
    private static readonly TimeSpan Start = TimeSpan.FromHours(1);

    [Fact]
    public void Two_processes_that_take_turns_share_an_identity_at_the_fourth_change()
    {
        var changes = Turns("a", "b", "a", "b", "a");

        Assert.False(IdentityRules.IsShared(changes[..3], changes[2].At));
        Assert.True(IdentityRules.IsShared(changes, changes[3].At));
    }

    [Fact]
    public void A_sidecar_that_crashes_again_and_again_never_comes_back_as_what_it_was()
    {
        var changes = Turns([.. Enumerable.Range(0, 16).Select(number => $"process-{number}")]);

        Assert.False(IdentityRules.IsShared(changes, changes[^1].At));
    }

    [Fact]
    public void Changes_that_are_older_than_five_minutes_do_not_count()
    {
        var changes = Turns("a", "b", "a", "b", "a");

        Assert.True(IdentityRules.IsShared(changes, Start + IdentityRules.Window - TimeSpan.FromSeconds(1)));
        Assert.False(IdentityRules.IsShared(changes, Start + IdentityRules.Window));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Processes_without_a_name_are_two_only_where_the_older_one_answered(bool answered)
    {
        var changes = Turns(null, null, null, null, null);
        changes[1].OlderAnswered = answered;

        Assert.Equal(answered, IdentityRules.IsShared(changes, changes[^1].At));
    }

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "b", false)]
    [InlineData(null, null, false)]
    [InlineData("a", null, false)]
    public void A_connection_is_the_holders_own_only_where_both_say_the_same_name(string? holder, string? newcomer, bool same) =>
        Assert.Equal(same, IdentityRules.IsSame(holder, newcomer));

    private static IdentityChange[] Turns(params string?[] holders) =>
        [.. holders.Skip(1).Select((holder, index) => new IdentityChange(Start + TimeSpan.FromSeconds(index), holders[index], holder))];
}
