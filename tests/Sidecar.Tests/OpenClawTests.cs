using System.Text.Json;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.OpenClaw;
using FleetSidecar.Configuration;
using FleetSidecar.Protocol;

namespace FleetSidecar.Tests;

/// <summary>OpenClaw: what a profile may say, what a probe proves, what follows from a look at a session.</summary>
public sealed class OpenClawTests
{
    private static readonly string Fixtures = Path.Combine(TestProgram.Root, "tests", "Sidecar.Tests", "Fixtures", "agents");

    [Theory]
    [InlineData("t_hblast", 1795154266981, typeof(ProbeFinding.Failed))]
    [InlineData("t_hblast", 1795154266982, typeof(ProbeFinding.Nothing))]
    [InlineData("u_hblast", 1795154147000, typeof(ProbeFinding.Ran))]
    [InlineData("u_hblast", 1795154147352, typeof(ProbeFinding.Nothing))]
    [InlineData("z_hb", 1795156111633, typeof(ProbeFinding.Ran))]
    [InlineData("z_hbnoroute", 1795177622180, typeof(ProbeFinding.Ran))]
    [InlineData("t_event", 0, typeof(ProbeFinding.Nothing))]
    [InlineData("d1_agent", 0, typeof(ProbeFinding.Nothing))]
    public void A_heartbeat_proves_a_signal_only_if_it_is_younger(string file, long wokenAt, Type expected) =>
        Assert.IsType(expected, new OpenClawAdapter().ReadProbe(File.ReadAllText(Path.Combine(Fixtures, $"{file}.out")), wokenAt));

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"ts\":\"soon\"}")]
    [InlineData("{\"ts\":99999999999999,\"status\":\"skipped\",\"reason\":\"quiet-hours\"}")]
    [InlineData("gateway not reachable")]
    public void Anything_else_proves_nothing(string output) => Assert.IsType<ProbeFinding.Nothing>(new OpenClawAdapter().ReadProbe(output, 1));

    [Theory]
    [InlineData(null, false, null, false, "Submit")]
    [InlineData(null, true, null, false, "Wait")]
    [InlineData(null, true, null, true, "Submit")]
    [InlineData("{}", false, null, false, "Submit")]
    [InlineData("{}", true, null, false, "Wait")]
    [InlineData("""{"status":"running"}""", false, null, false, "Wait")]
    [InlineData("""{"status":"running"}""", true, null, true, "Wait")]
    [InlineData("""{"status":"done","hasActiveRun":true}""", true, null, true, "Wait")]
    [InlineData("""{"status":"done","lastRunId":"r1","endedAt":50}""", false, 50L, false, "EndedWell")]
    [InlineData("""{"status":"done","lastRunId":"taken-up","endedAt":150}""", true, null, false, "EndedWell")]
    [InlineData("""{"status":"done","lastRunId":"taken-up","endedAt":150}""", true, 50L, false, "EndedWell")]
    [InlineData("""{"status":"done","lastRunId":"earlier","endedAt":50}""", false, 50L, false, "Submit")]
    [InlineData("""{"status":"done","lastRunId":"earlier","endedAt":50}""", true, 50L, false, "Wait")]
    [InlineData("""{"status":"done","lastRunId":"earlier","endedAt":50}""", true, 50L, true, "Submit")]
    [InlineData("""{"status":"failed","lastRunId":"r1"}""", true, null, false, "EndedBadly")]
    [InlineData("""{"status":"killed","lastRunId":"earlier","abortedLastRun":true}""", false, null, false, "Submit")]
    [InlineData("""{"status":"failed","lastRunId":"r1","abortedLastRun":true}""", true, null, false, "Wait")]
    [InlineData("""{"status":"failed","lastRunId":"r1","abortedLastRun":true}""", true, null, true, "EndedBadly")]
    public void A_turn_is_submitted_only_where_nothing_of_it_runs_or_may_be_taken_up_again(string? session, bool engaged, long? endedBefore, bool recoveryOver, string expected)
    {
        JsonElement? row = session is null ? null : JsonDocument.Parse(session).RootElement;

        Assert.Equal(expected, GatewayRules.After(row, "r1", engaged, endedBefore, recoveryOver).ToString());
    }

    [Theory]
    [InlineData("command", "/usr/bin/openclaw", "cron", "wake", "--mode", "now")]
    [InlineData("command", "/bin/sh", "-c", "openclaw cron wake --text hi")]
    [InlineData("openclaw", "/usr/bin/openclaw", "cron", "wake")]
    public void The_command_that_does_not_exist_is_named_with_what_to_write_instead(string adapter, params string[] command)
    {
        var problem = Problem(profile => (profile.Adapter, profile.Command) = (adapter, [.. command]));

        Assert.Equal("wake.profiles[0].command", problem?.Key);
        Assert.Contains("'openclaw cron wake', which does not exist", problem?.Complaint, StringComparison.Ordinal);
        Assert.Contains("mode signal", problem?.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_that_would_not_do_what_it_says_is_refused()
    {
        Assert.Null(Problem(profile => profile.Adapter = "openclaw"));
        Assert.Equal("wake.profiles[0].command", Problem(profile => (profile.Adapter, profile.Command) = ("openclaw", ["/usr/bin/openclaw", "--verbose"]))?.Key);
        Assert.Equal("wake.profiles[0].command", Problem(profile => (profile.Adapter, profile.Command, profile.OpenClaw) = ("openclaw", ["/usr/bin/openclaw", "agent"], new() { Via = OpenClawVia.Agent }))?.Key);
        Assert.Equal("wake.profiles[0].openClaw.gateway", Problem(profile => (profile.Adapter, profile.OpenClaw) = ("openclaw", new() { Gateway = "http://x" }))?.Key);
        Assert.Equal("wake.profiles[0].openClaw.tokenFile", Problem(profile => (profile.Adapter, profile.OpenClaw) = ("openclaw", new() { TokenFile = "token" }))?.Key);
        Assert.Equal("wake.profiles[0].openClaw.agent", Problem(profile => (profile.Adapter, profile.OpenClaw) = ("openclaw", new() { Agent = "a b" }))?.Key);
        Assert.Equal("wake.profiles[0].openClaw", Problem(profile => (profile.Adapter, profile.OpenClaw) = ("codex", new()))?.Key);
        Assert.Equal("wake.profiles[0].openClaw", Problem(profile => profile.OpenClaw = new())?.Key);
        Assert.Equal("wake.profiles[0].mode", Problem(profile => (profile.Adapter, profile.Mode) = ("claude-code", WakeMode.Signal))?.Key);
        Assert.Null(Problem(profile => (profile.Adapter, profile.Mode) = ("openclaw", WakeMode.Signal)));
    }

    [Fact]
    public void A_failed_heartbeat_says_why() =>
        Assert.Equal(FailureClass.Auth, Assert.IsType<ProbeFinding.Failed>(new OpenClawAdapter().ReadProbe("""{"ts":5,"status":"failed","reason":"x","preview":"request failed (authentication failed, HTTP 401)"}""", 1)).Code);

    private static ConfigProblem? Problem(Action<WakeProfile> change)
    {
        var config = Some.Config();
        config.Hub.TokenFile = "/token";
        config.Hub.Url = "ws://127.0.0.1:7070/ws";
        change(config.Wake.Profiles[0]);
        return ConfigRules.FirstProblem(config);
    }
}
