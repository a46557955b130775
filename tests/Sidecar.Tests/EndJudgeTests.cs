using FleetSidecar.Agents;
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

        Assert.Equal(failure, EndJudge.Judge(Some.Profile(), new ProcessEnd(exitCode, 1), report)?.Code);
    }

    [Fact]
    public void A_program_that_cannot_report_is_judged_by_its_exit_code_where_the_profile_says_so()
    {
        var profile = Some.Profile();
        profile.Completion = CompletionEvidence.ExitCode;

        Assert.Null(EndJudge.Judge(profile, new ProcessEnd(0, 1), null));
        Assert.NotNull(EndJudge.Judge(profile, new ProcessEnd(2, 1), null));
        Assert.NotNull(EndJudge.Judge(profile, new ProcessEnd(0, 1), new AgentReport("failed", null, "x")));
    }

    [Theory]
    [InlineData(143, 15)]
    [InlineData(137, 9)]
    [InlineData(128, null)]
    [InlineData(255, null)]
    [InlineData(0, null)]
    public void The_signal_is_read_from_the_shells_convention(int exitCode, int? signal) => Assert.Equal(signal, new ProcessEnd(exitCode, 1).Signal);
}
