using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Decides whether an agent's end was a good one: from how the process ended and what the agent said, never from one of them alone.</summary>
internal static class EndJudge
{
    // The shell's words for "found but could not be executed" and "not found"; 125 is the recorder's own.
    private const int CannotExecute = 126, NotFound = 127;
    public const int RecorderFailed = 125;

    /// <summary>The failure that the end amounts to, or null for a good end.</summary>
    /// <param name="profile">How the agent was woken.</param>
    /// <param name="end">How its process ended; null while it goes on, or where it works elsewhere.</param>
    /// <param name="report">What the agent said of its own work.</param>
    /// <param name="turn">What its program recorded of the turn; null where the adapter reads no record.</param>
    public static Failure? Judge(WakeProfile profile, ProcessEnd? end, AgentReport? report, AgentTurn? turn) => (report?.Status, turn) switch
    {
        (AgentReport.HandOff, _) => null,
        (AgentReport.Failed, _) => new Failure(FailureClass.AgentError, report!.Reason ?? "the agent said that it failed and gave no reason"),
        (_, { Ok: false }) => new Failure(turn.FailureCode ?? FailureClass.Unknown, turn.Reason ?? "the agent's program recorded no good end") { Retryable = turn.FailureCode != FailureClass.Config },
        (null, { Ok: true }) => null,
        _ => JudgeReport(profile, end, report),
    };

    private static Failure? JudgeReport(WakeProfile profile, ProcessEnd? end, AgentReport? report) => report?.Status switch
    {
        AgentReport.Success => profile.Mode == WakeMode.Run ? JudgeExit(end) : null,
        null => JudgeExit(end) ?? JudgeSilence(profile),
        _ => new Failure(FailureClass.AgentError, $"the agent reported the status '{Printable.Cut(report.Status, 40)}', which is none of success, failed and handoff{(report.Reason is null ? "" : $": {report.Reason}")}"),
    };

    private static Failure? JudgeExit(ProcessEnd? end) => end switch
    {
        null => null,
        { ExitCode: 0 } => null,
        { ExitCode: null } => new Failure(FailureClass.AgentVanished, "the agent's process is gone and nothing recorded how it ended"),
        { ExitCode: CannotExecute or NotFound } => new Failure(FailureClass.Config, $"the wake command could not be executed (exit code {end.ExitCode})") { Retryable = false },
        { OutOfMemory: true } => new Failure(FailureClass.OutOfMemory, "the kernel killed the agent for its use of memory"),
        { Signal: { } signal } => new Failure(FailureClass.AgentError, $"the agent was ended by signal {signal}"),
        _ => new Failure(ClassOf(end), $"the agent ended with exit code {end.ExitCode}"),
    };

    /// <summary>The class of a bad exit: a program without a record of its own may still have said why; what nobody understands is its own fault.</summary>
    public static string ClassOf(ProcessEnd end) => FailureClassifier.Classify(end, end.OutOfMemory, end.LastOutput) is var found && found == FailureClass.Unknown ? FailureClass.AgentError : found;

    private static Failure? JudgeSilence(WakeProfile profile) => profile.Completion == CompletionEvidence.ExitCode
        ? null
        : new Failure(FailureClass.AgentError,
            "the agent ended with exit code 0 but never said that it was done (fleet-sidecar task complete, or a result file)");
}
