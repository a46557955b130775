using FleetSidecar.Agents;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Decides whether an agent's end was a good one: from how the process ended and what the agent said, never from one of them alone.</summary>
internal static class EndJudge
{
    // The shell's words for "found but could not be executed" and "not found"; 125 is the recorder's own.
    private const int CannotExecute = 126, NotFound = 127;
    public const int RecorderFailed = 125;

    /// <summary>The failure that the end amounts to, or null for a good end.</summary>
    public static Failure? Judge(WakeProfile profile, ProcessEnd? end, AgentReport? report) => report?.Status switch
    {
        AgentReport.HandOff => null,
        AgentReport.Failed => new Failure(FailureClass.AgentError, report.Reason ?? "the agent said that it failed and gave no reason"),
        AgentReport.Success => profile.Mode == WakeMode.Run ? JudgeExit(end) : null,
        null => JudgeExit(end) ?? JudgeSilence(profile),
        _ => new Failure(FailureClass.AgentError, $"the agent reported the status '{Printable.Cut(report.Status, 40)}': {report.Reason}"),
    };

    private static Failure? JudgeExit(ProcessEnd? end) => end switch
    {
        null => null,
        { ExitCode: 0 } => null,
        { ExitCode: null } => new Failure(FailureClass.AgentVanished, "the agent's process is gone and nothing recorded how it ended"),
        { ExitCode: CannotExecute or NotFound } => new Failure(FailureClass.Config, $"the wake command could not be executed (exit code {end.ExitCode})") { Retryable = false },
        { Signal: { } signal } => new Failure(FailureClass.AgentError, $"the agent was ended by signal {signal}"),
        _ => new Failure(FailureClass.AgentError, $"the agent ended with exit code {end.ExitCode}"),
    };

    private static Failure? JudgeSilence(WakeProfile profile) => profile.Completion == CompletionEvidence.ExitCode
        ? null
        : new Failure(FailureClass.AgentError,
            "the agent ended with exit code 0 but never said that it was done (fleet-sidecar task complete, or a result file)");
}
