using System.Text.Json;
using FleetSidecar.Forge;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>What the forge is asked and how its words are read.</summary>
public sealed class ForgeTests
{
    [Theory]
    [InlineData("https://github.com/fleet/app.git", "https://api.github.com", "fleet/app")]
    [InlineData("https://user:pass@github.com/fleet/app", "https://api.github.com", "fleet/app")]
    [InlineData("git@github.com:fleet/app.git", "https://api.github.com", "fleet/app")]
    [InlineData("ssh://git@ssh.github.com:443/fleet/app.git", "https://api.github.com", "fleet/app")]
    [InlineData("ssh://git@git.example:2222/fleet/app.git", "https://git.example/api/v1", "fleet/app")]
    [InlineData("https://git.example/fleet/app.git/", "https://git.example/api/v3", "fleet/app")]
    [InlineData("https://evil.example/fleet/app.git", "https://api.github.com", null)]
    [InlineData("https://github.com.evil.example/fleet/app.git", "https://api.github.com", null)]
    [InlineData("https://github.com/fleet/app/tree", "https://api.github.com", null)]
    [InlineData("https://github.com/fleet", "https://api.github.com", null)]
    [InlineData("https://github.com/fleet/..", "https://api.github.com", null)]
    [InlineData("https://github.com/fleet/a%2Fb%3Fc", "https://api.github.com", null)]
    [InlineData("/srv/fleet/app.git", "https://api.github.com", null)]
    [InlineData("git@evil.example:fleet/app.git", "https://api.github.com", null)]
    public void A_repository_is_known_by_its_address_only_at_the_configured_forge(string address, string api, string? expected) =>
        Assert.Equal(expected, ForgeRepository.From(address, new Uri(api)) is { } found ? $"{found.Owner}/{found.Name}" : null);

    [Theory]
    [InlineData("""{"html_url":"https://f.example/1","state":"open"}""", "open")]
    [InlineData("""{"html_url":"https://f.example/1","state":"closed"}""", "closed")]
    [InlineData("""{"html_url":"https://f.example/1","state":"closed","merged_at":"2026"}""", "merged")]
    [InlineData("""{"html_url":"https://f.example/1","state":"closed","merged":true}""", "merged")]
    [InlineData("""{"html_url":"javascript:alert(1)","state":"open"}""", null)]
    [InlineData("""{"html_url":"https://u:p@f.example/1","state":"open"}""", null)]
    [InlineData("""{"html_url":"https://f.example/1\nx","state":"open"}""", null)]
    [InlineData("""{"html_url":7}""", null)]
    [InlineData("[]", null)]
    public void A_pull_request_is_believed_only_with_an_address_that_can_be_shown(string json, string? state) =>
        Assert.Equal(state, PullRequestRules.Read(JsonDocument.Parse(json).RootElement)?.State);

    [Fact]
    public void Pauses_grow_follow_the_forge_within_bounds_and_never_pass_the_budget()
    {
        var left = TimeSpan.FromMinutes(2);
        Assert.Equal([1, 2, 4, 8, 16, 30, 30], Enumerable.Range(0, 7).Select(attempt => PullRequestRules.Pause(attempt, null, left)!.Value.TotalSeconds));
        Assert.Equal(TimeSpan.FromSeconds(7), PullRequestRules.Pause(0, TimeSpan.FromSeconds(7), left));
        Assert.Equal(TimeSpan.FromSeconds(1), PullRequestRules.Pause(0, TimeSpan.FromSeconds(-7), left));
        Assert.Null(PullRequestRules.Pause(0, TimeSpan.FromDays(400), left));
        Assert.Null(PullRequestRules.Pause(0, null, TimeSpan.Zero));
        Assert.Null(PullRequestRules.Pause(1_000_000, TimeSpan.MaxValue, TimeSpan.FromMinutes(-1)));
    }

    [Theory]
    [InlineData("plain words", "task-1: plain words")]
    [InlineData("", "task-1")]
    [InlineData("@root", "task-1: root")]
    [InlineData("fixes #12 in owner/repo#3 <b>`x`", "task-1: fixes 12 in ownerrepo3 bx")]
    [InlineData("\n\n  naïve 漢字\u202e\u0007", "task-1: naïve 漢字")]
    public void A_title_has_nothing_that_a_forge_gives_a_meaning_to(string description, string title) =>
        Assert.Equal(title, PullRequestText.Title(Some.Run() with { Assignment = Some.Assign() with { Description = description } }));

    [Fact]
    public void No_text_closes_the_fence_that_it_stands_in()
    {
        var random = new Random(9);
        for (var round = 0; round < 2_000; round++)
        {
            var text = new string([.. Enumerable.Range(0, random.Next(0, 60)).Select(_ => "`~\n@a "[random.Next(6)])]);

            var body = PullRequestText.Body(Some.Run() with { Assignment = Some.Assign() with { Description = text } }, new RunFacts(), "iris").Split('\n');

            var open = Array.FindIndex(body, line => line.StartsWith("```", StringComparison.Ordinal));
            var fence = body[open][..^4];
            Assert.Equal(body.Length - 2, Array.FindIndex(body, open + 1, line => line.Trim().StartsWith(fence, StringComparison.Ordinal)));
        }
    }
}
