using System.Text.Json.Nodes;
using FleetSidecar.Ground;
using FleetSidecar.Setup;

namespace FleetSidecar.Tests;

/// <summary>What setup decides before it touches anything.</summary>
public sealed class SetupRulesTests
{
    [Theory]
    [InlineData("http://hub.example:7070", "ws://hub.example:7070/ws", "http://hub.example:7070/api/onboard/register")]
    [InlineData("https://hub.example/", "wss://hub.example/ws", "https://hub.example/api/onboard/register")]
    [InlineData("https://example/fleet", "wss://example/fleet/ws", "https://example/fleet/api/onboard/register")]
    public void The_daemon_connects_beside_the_interface(string hub, string socket, string register)
    {
        var request = Request(hub);

        Assert.Equal(socket, request.SocketUrl);
        Assert.Equal(register, request.Below("api/onboard/register").ToString());
    }

    [Fact]
    public void A_configuration_that_says_all_of_it_is_left_as_it_is()
    {
        var (first, none) = SetupConfig.Merge([], Request(), "hub-token", () => new JsonObject { ["name"] = "main" });
        var (second, conflicts) = SetupConfig.Merge(first, Request(), "hub-token", () => throw new InvalidOperationException("There is a profile."));

        Assert.Empty(none);
        Assert.Empty(conflicts);
        Assert.True(JsonNode.DeepEquals(first, second));
    }

    [Fact]
    public void What_stands_there_and_says_something_else_is_named_whatever_its_case()
    {
        var present = JsonNode.Parse("""{ "AGENT": { "ID": "vera" }, "hub": { "connectTimeout": "00:00:05" }, "wake": { "profiles": [ { "name": "x" } ] } }""")!.AsObject();

        var (keys, conflicts) = SetupConfig.Merge(present, Request(), "hub-token", () => throw new InvalidOperationException("There is a profile."));

        Assert.Equal(["agent.id"], conflicts);
        Assert.Equal("iris", (string?)keys["AGENT"]!["ID"]);
        Assert.Equal("00:00:05", (string?)keys["hub"]!["connectTimeout"]);
        Assert.Equal("vera", (string?)present["AGENT"]!["ID"]);
    }

    [Fact]
    public void The_first_known_program_is_the_profile_and_a_command_of_ones_own_comes_before_it()
    {
        var (found, words) = FirstProfile.Choose([], program => program is "codex" or "openclaw" ? $"/usr/bin/{program}" : null, _ => true);
        Assert.Equal("codex", (string?)found["adapter"]);
        Assert.Contains("/usr/bin/codex", words, StringComparison.Ordinal);

        var (own, _) = FirstProfile.Choose(["/opt/agent", "{taskFile}"], _ => "/usr/bin/claude", _ => true);
        Assert.Equal("""["/opt/agent","{taskFile}"]""", own["command"]!.ToJsonString());
        Assert.Throws<ConfigurationException>(() => FirstProfile.Choose(["agent"], _ => null, _ => true));
        Assert.Throws<ConfigurationException>(() => FirstProfile.Choose([], _ => null, _ => true));
        Assert.Contains("/opt/agent is not a program that can be started", Assert.Throws<ConfigurationException>(() => FirstProfile.Choose(["/opt/agent"], _ => null, _ => false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_adapter_that_is_looked_for_is_known() =>
        Assert.All(FirstProfile.Known, known => Assert.NotNull(Agents.Adapters.AgentAdapters.Find(known.Adapter)));

    [Theory]
    [InlineData("/etc/fleet-sidecar/sidecar.json", "fleet-sidecar.service")]
    [InlineData("/etc/fleet-sidecar/instances/iris/sidecar.json", "fleet-sidecar@iris.service")]
    [InlineData("/etc/fleet-sidecar/instances/a/b/sidecar.json", null)]
    [InlineData("/home/x/sidecar.json", null)]
    public void The_unit_goes_by_the_file(string file, string? unit) => Assert.Equal(unit, Configuration.PackagePaths.UnitOf(file));

    [Theory]
    [InlineData("""{"noop":true}""", null, true)]
    [InlineData("""{"noop":"true"}""", null, false)]
    [InlineData("""{"noop":false}""", null, false)]
    [InlineData("""[true]""", null, false)]
    [InlineData("""{"noop":true}""", "/r", false)]
    public void Only_what_the_hub_calls_a_no_op_and_what_has_nothing_to_work_on_is_one(string metadata, string? repo, bool fits) =>
        Assert.Equal(fits, Agents.NoopProfile.Fits(new Protocol.HubMessage.TaskAssign { TaskId = "t", Repo = repo, Metadata = System.Text.Json.JsonDocument.Parse(metadata).RootElement }));

    private static SetupRequest Request(string hub = "http://127.0.0.1:7070") => new() { Hub = new Uri(hub), AgentId = "iris", ConfigFile = "/etc/fleet-sidecar/sidecar.json" };
}
