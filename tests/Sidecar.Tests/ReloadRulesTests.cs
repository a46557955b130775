using System.Text.RegularExpressions;
using FleetSidecar.Configuration;
using FleetSidecar.Reload;

namespace FleetSidecar.Tests;

/// <summary>Which keys a reload changes, and that page and code say the same of each.</summary>
public sealed partial class ReloadRulesTests
{
    [Fact]
    public void The_page_says_of_every_key_what_the_code_does()
    {
        var page = File.ReadAllText(Path.Combine(TestProgram.Root, "docs", "configuration.md"));
        var said = new Dictionary<string, string>();
        foreach (Match row in Row().Matches(page))
        {
            var prefix = "";
            foreach (var key in Key().Matches(row.Groups["keys"].Value).Select(match => match.Value))
            {
                var full = key.StartsWith('.') ? prefix + key : key;
                prefix = full[..Math.Max(0, full.LastIndexOf('.'))];
                var top = string.Join('.', full.Replace("[]", "", StringComparison.Ordinal).Split('.').Take(2));
                Assert.True(ReloadRules.EffectOf(top) == row.Groups["effect"].Value, $"{full}: the page says '{row.Groups["effect"].Value}', the code '{ReloadRules.EffectOf(top)}'");
                said[top] = row.Groups["effect"].Value;
            }
        }

        Assert.All(ReloadRules.Keys, key => Assert.True(said.ContainsKey(key), $"{key} has no row with 'takes effect' in docs/configuration.md"));
        Assert.All(said.Keys, key => Assert.Contains(key, ReloadRules.Keys));
    }

    [Fact]
    public void Every_section_is_in_the_table_and_every_entry_is_a_key()
    {
        Assert.All(ReloadRules.Keys, key => Assert.True(ReloadRules.Table.ContainsKey(key) || ReloadRules.Table.ContainsKey(key.Split('.')[0]), $"{key} is not in ReloadRules.Table"));
        Assert.All(ReloadRules.Table.Keys, entry => Assert.Contains(ReloadRules.Keys, key => key == entry || key.StartsWith(entry + ".", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_may_change_changes_in_the_sections_that_are_held_and_the_rest_stays_and_is_named()
    {
        var (config, read) = (Some(), Some());
        var (agent, wake, log, hub) = (config.Agent, config.Wake, config.Log, config.Hub);
        read.Agent.Id = "vera";
        read.Agent.MaxConcurrentRuns = 7;
        read.Hub.Url = "ws://other/ws";
        read.Wake.Profiles = [Tests.Some.Profile()];
        read.Log.Level = "Debug";
        read.StateDirectory = "/srv/other";

        var changes = ReloadRules.Compare(config, read);
        ReloadRules.Apply(config, read, changes);

        Assert.Equal(["agent.id restart", "agent.maxConcurrentRuns now", "hub.url restart", "log.level now", "stateDirectory restart", "wake.profiles next run"],
            changes.Select(change => $"{change.Key} {change.Effect}").Order(StringComparer.Ordinal));
        Assert.Equal(("iris", 7, "ws://hub/ws", "Debug"), (agent.Id, agent.MaxConcurrentRuns, hub.Url, log.Level));
        Assert.Same(read.Wake.Profiles, wake.Profiles);
        Assert.Equal("/var/lib/fleet-sidecar", config.StateDirectory);
        Assert.Equal(["agent.id", "hub.url", "stateDirectory"], ReloadRules.Compare(config, read).Select(change => change.Key).Order(StringComparer.Ordinal));
        Assert.Empty(ReloadRules.Compare(config, config));
    }

    [Fact]
    public void A_key_that_nobody_listed_waits_for_a_restart() => Assert.Equal(TakesEffect.Restart, ReloadRules.EffectOf("nobody.knows"));

    private static SidecarConfig Some() => new() { Agent = { Id = "iris" }, Hub = { Url = "ws://hub/ws" } };

    [GeneratedRegex(@"^\| (?<keys>`[^|]+) \| [^\n]*? \| (?<effect>now|next run|restart) \| ", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("(?<=`)[.a-zA-Z\\[\\]]+(?=`)")]
    private static partial Regex Key();
}
