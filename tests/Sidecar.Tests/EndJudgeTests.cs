using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The verdict on an agent's end: evidence first, then what it said.</summary>
public sealed class EndJudgeTests
{
    [Theory]
    [InlineData(0, "success", null)]
    [InlineData(0, null, FailureClass.AgentError)]
    [InlineData(0, "failed", FailureClass.AgentError)]
    [InlineData(0, "partial", FailureClass.AgentError)]
    [InlineData(0, "handoff", null)]
    [InlineData(1, "success", FailureClass.AgentError)]
    [InlineData(1, null, FailureClass.AgentError)]
    [InlineData(137, "success", FailureClass.AgentError)]
    [InlineData(126, null, FailureClass.Config)]
    [InlineData(127, null, FailureClass.Config)]
    [InlineData(null, null, FailureClass.AgentVanished)]
    [InlineData(null, "success", FailureClass.AgentVanished)]
    public void Exit_code_and_report_decide_together(int? exitCode, string? status, string? failure)
    {
        var report = status is null ? null : new AgentReport(status, null, null);

        Assert.Equal(failure, EndJudge.Judge(Some.Profile(), new ProcessEnd(exitCode, 1), report, turn: null)?.Code);
    }

    [Fact]
    public void A_program_that_cannot_report_is_judged_by_its_exit_code_where_the_profile_says_so()
    {
        var profile = Some.Profile();
        profile.Completion = CompletionEvidence.ExitCode;

        Assert.Null(EndJudge.Judge(profile, new ProcessEnd(0, 1), null, null));
        Assert.NotNull(EndJudge.Judge(profile, new ProcessEnd(2, 1), null, null));
        Assert.NotNull(EndJudge.Judge(profile, new ProcessEnd(0, 1), new AgentReport("failed", null, "x"), null));
    }

    [Theory]
    [InlineData(true, "auth", null, null)]
    [InlineData(true, "auth", "success", null)]
    [InlineData(false, "auth", "success", "auth")]
    [InlineData(false, "auth", null, "auth")]
    [InlineData(true, "auth", "failed", FailureClass.AgentError)]
    public void A_program_with_a_record_of_its_own_ends_well_only_by_that_record(bool ok, string code, string? status, string? failure)
    {
        var report = status is null ? null : new AgentReport(status, null, null);
        var turn = ok ? new AgentTurn { Ok = true } : AgentTurn.Bad(code, "x");

        Assert.Equal(failure, EndJudge.Judge(Some.Profile(), new ProcessEnd(0, 1), report, turn)?.Code);
    }

    [Fact]
    public void L30_An_agent_killed_for_its_memory_is_that_whatever_its_output_says()
    {
        var end = new ProcessEnd(137, 1) { OutOfMemory = true, LastOutput = "401 token expired" };

        Assert.Equal(FailureClass.OutOfMemory, EndJudge.Judge(Some.Profile(), end, report: null, turn: null)?.Code);
    }

    [Theory]
    [InlineData(143, 15)]
    [InlineData(137, 9)]
    [InlineData(128, null)]
    [InlineData(255, null)]
    [InlineData(0, null)]
    public void The_signal_is_read_from_the_shells_convention(int exitCode, int? signal) => Assert.Equal(signal, new ProcessEnd(exitCode, 1).Signal);
}
