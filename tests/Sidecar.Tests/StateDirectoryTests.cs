using FleetSidecar.Configuration;

namespace FleetSidecar.Tests;

/// <summary>Where the state may be: the units of agents have its path in their text.</summary>
public sealed class StateDirectoryTests
{
    [Theory]
    [InlineData("/var/lib/fleet-sidecar", true)]
    [InlineData("/var/lib/fleet-sidecar/", true)]
    [InlineData("/var/lib/fleet-sidecar-instances/vera", true)]
    [InlineData("/var/lib/fleet-sidecar-instances", false)]
    [InlineData("/var/lib/fleet-sidecar-instances/", false)]
    [InlineData("/var/lib/fleet-sidecar-instances/vera/", true)]
    [InlineData("/var/lib/fleet-sidecar-instances/../fleet-sidecar-x", false)]
    [InlineData("/var/lib/fleet-sidecar-instances/a/b", false)]
    [InlineData("/var/lib/fleet-sidecar/instances/vera", false)]
    [InlineData("/var/lib/fleet-sidecar/other", false)]
    [InlineData("/var/lib/fleet-sidecar-2", false)]
    [InlineData("/srv/fleet", false)]
    [InlineData("/srv/instances/vera", false)]
    public void With_agents_in_units_only_a_place_where_the_units_look_is_taken(string directory, bool taken)
    {
        var problem = ConfigRules.FirstProblem(Config("systemd", directory));

        Assert.Equal(taken ? null : "stateDirectory", problem?.Key);
        Assert.True(taken || problem!.Complaint.Contains(directory, StringComparison.Ordinal));
        Assert.True(taken || problem!.Hint.Contains("/var/lib/fleet-sidecar", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_units_it_may_be_anywhere() => Assert.Null(ConfigRules.FirstProblem(Config("process", "/srv/fleet")));

    private static SidecarConfig Config(string launcher, string directory)
    {
        var config = new SidecarConfig { StateDirectory = directory };
        config.Agent.Id = "iris";
        config.Agent.Launcher = launcher;
        config.Hub.Url = "ws://127.0.0.1:7070/ws";
        config.Hub.TokenFile = "token";
        config.Control.Socket = "/run/x.sock";
        config.Wake.Profiles = [new Agents.WakeProfile { Name = "main", Command = ["/bin/true"] }];
        return config;
    }
}
