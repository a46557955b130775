using System.Text.Json;
using FleetSidecar.Configuration;

namespace FleetSidecar.Tests;

/// <summary>The quick way to read one good file must come to what the thorough way comes to, or stand back.</summary>
public sealed class PlainFileTests
{
    [Fact]
    public void Every_section_is_read_as_the_thorough_reader_reads_it()
    {
        var given = new SidecarConfig { StateDirectory = "/srv/x" };
        given.Agent.Id = "iris";
        given.Hub.HeartbeatInterval = TimeSpan.FromHours(30);
        given.Wake.Profiles.Add(Some.Profile());
        given.Workspace.AllowedRepositories = ["a"];
        given.Deadlines.Wake = TimeSpan.FromSeconds(7);
        given.SelfTest.DiskFloorBytes = 7;
        given.Retention.MaxRuns = 777;
        given.SafeMode.Starts = 7;
        given.Gate.MaxFiles = 7;
        given.Workspace.Forge = new Forge.ForgeOptions { TokenFile = "/t" };
        given.Identity.Tree = "/srv/code";
        given.Identity.Files.Add(new Identity.IdentityFileOptions { Path = "SOUL.md", Mark = "I am Iris" });
        given.Identity.Restart.Add(["/bin/true"]);
        given.Supervise.Members.Add(new Supervise.MemberOptions { Name = "gateway", Command = ["/bin/true"], StableAfter = TimeSpan.FromSeconds(7) });
        given.Alerts.Hooks.Add(new Alerts.AlertHook { Command = ["/bin/true"] });
        given.Log.Level = "Error";
        given.Control.Socket = "/s";
        var text = JsonSerializer.SerializeToUtf8Bytes(given, ConfigJson.Default.SidecarConfig);

        var read = PlainFile.Read(text);

        Assert.NotNull(read);
        Assert.Equal(text, JsonSerializer.SerializeToUtf8Bytes(read, ConfigJson.Default.SidecarConfig));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{ "hub": {}, "hub": {} }""")]
    [InlineData("""{ "Hub": {} }""")]
    [InlineData("""{ "stateDirectory": 7 }""")]
    public void What_it_does_not_know_at_once_is_left_to_the_thorough_reader(string text) => Assert.Null(PlainFile.Read(System.Text.Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("""{ "agent": null }""")]
    [InlineData("""{ "agent": {} } x""")]
    [InlineData("""{ "agent": {""")]
    [InlineData("""{ "agent": { "id": "a", "id": "b" } }""")]
    public void What_is_wrong_is_an_exception_for_the_thorough_reader_to_explain(string text) =>
        Assert.ThrowsAny<JsonException>(() => PlainFile.Read(System.Text.Encoding.UTF8.GetBytes(text)));
}
