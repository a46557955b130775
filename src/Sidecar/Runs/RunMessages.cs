using System.Text;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Turns a run's moves into the messages that the hub reads. Ids are made from run and kind, so a repeated move repeats the id.</summary>
internal static class RunMessages
{
    private const int LongestWords = 300;

    public static IEnumerable<OutboxMessage> For(Run run, RunRows rows, long now)
    {
        if (rows.HasFlag(RunRows.Accepted))
        {
            yield return Pack(run, "task_accepted", Accepted(run), now);
        }

        if (rows.HasFlag(RunRows.WakeResult))
        {
            yield return Pack(run, "wake_result", Wake(run), now);
        }

        if (rows.HasFlag(RunRows.Complete))
        {
            yield return Pack(run, "task_complete", Complete(run), now);
        }

        if (rows.HasFlag(RunRows.Failed))
        {
            yield return Pack(run, "task_failed", Failed(run), now);
        }

        if (rows.HasFlag(RunRows.HandOff))
        {
            yield return Pack(run, "task_handoff", HandOff(run), now);
        }
    }

    /// <summary>What a run in a state has told, or still has to tell: used when a higher generation is adopted and all of it must be said again.</summary>
    public static RunRows SaidIn(RunState state) => state switch
    {
        RunState.Completed => RunRows.Accepted | RunRows.Complete,
        _ => RunRows.Accepted,
    };

    /// <summary>The row that holds the outcome of a settled run, for a hub that has forgotten it.</summary>
    public static RunRows OutcomeOf(Run run) => run.Outcome switch
    {
        RunState.Completed => RunRows.Complete,
        RunState.Failed => RunRows.Failed,
        RunState.HandedOff => RunRows.HandOff,
        _ => RunRows.None,
    };

    public static SidecarMessage.TaskAccepted Accepted(Run run) =>
        new() { TaskId = run.TaskId, Generation = run.Generation, MessageId = Id(run, "accepted") };

    private static SidecarMessage.WakeResult Wake(Run run) => new()
    {
        TaskId = run.TaskId,
        Generation = run.Generation,
        Status = run.State != RunState.Failed ? "success" : run.Facts.Failure?.Code == FailureClass.WakeUnverified ? "unverified" : "failed",
        Attempt = run.WakeAttempt,
        Level = run.WakeLevel,
        Profile = run.Profile.Name,
        ExitCode = run.Facts.End?.ExitCode,
        Signal = run.Facts.End?.Signal,
        DurationMs = run.Facts.WakeDurationMs,
        Error = run.State == RunState.Failed ? run.Facts.Failure?.Reason : null,
        WakeId = run.Id,
        LastOutput = run.State == RunState.Failed ? run.Facts.End?.LastOutput : null,
        MessageId = Id(run, WakePart(run)),
    };

    private static SidecarMessage.TaskComplete Complete(Run run) => new()
    {
        TaskId = run.TaskId,
        Generation = run.Generation,
        Result = new TaskResult
        {
            Status = AgentReport.Success,
            Output = run.Facts.Report?.Output ?? run.Facts.Turn?.Output,
            Branch = run.Facts.Commit is null ? null : run.Facts.Branch,
            Commit = run.Facts.Commit,
            BaseCommit = run.Facts.BaseCommit,
            CommitsAhead = run.Facts.CommitsAhead,
            ExitCode = run.Facts.End?.ExitCode,
            WakeLevel = run.WakeLevel,
            Profile = run.Profile.Name,
            ProfilesTried = Tried(run),
            SessionId = run.Facts.Turn?.SessionId ?? run.Facts.SessionId,
            Provider = run.Facts.Turn?.Provider,
            Model = run.Facts.Turn?.Model,
            CostUsd = run.Facts.Turn?.CostUsd,
            RunId = run.Id,
            OutputDroppedBytes = run.Facts.End?.OutputDroppedBytes,
            Diff = run.Facts.Commit is null ? null : run.Facts.Diff,
            PullRequest = run.Facts.PullRequest?.Url,
            PullRequestState = run.Facts.PullRequest?.State,
        },
        TokensUsed = run.Facts.Turn?.Tokens?.Total,
        VerificationReport = run.Facts.Verification,
        MessageId = Id(run, "final"),
    };

    private static SidecarMessage.TaskFailed Failed(Run run)
    {
        var failure = run.Facts.Failure ?? throw new InvalidOperationException($"Run {run.Id} failed without a failure.");
        var said = run.Facts.Report ?? run.Facts.EarlierReport;
        var uncounted = run.Facts.Uncounted is { } report ? $"; the agent {(run.Facts.Report is null ? "of an earlier profile " : "")}had reported {Words(report)}" : "";
        var reason = Printable.Cut(failure.Reason, WireLimits.MaxReason - uncounted.Length - 1) + uncounted;
        return new SidecarMessage.TaskFailed
        {
            TaskId = run.TaskId,
            Generation = run.Generation,
            Error = reason,
            Reason = reason,
            Code = failure.Code,
            Deadline = failure.Deadline,
            Retryable = failure.Retryable,
            ExitCode = run.Facts.End?.ExitCode,
            LastOutput = run.Facts.End?.LastOutput,
            OutputDroppedBytes = run.Facts.End?.OutputDroppedBytes,
            ProcessState = run.Facts.ProcessState,
            ProfilesTried = Tried(run),
            Reported = said is null or { IsUnread: true } ? null : new TaskResult
            {
                Status = Printable.Cut(said.Status, WireLimits.MaxName - 1), Output = said.Text is { } text ? Printable.Tail(text, WireLimits.MaxResultOutput) : null,
            },
            MessageId = Id(run, "final"),
        };
    }

    /// <summary>A report in a line for people.</summary>
    public static string Words(AgentReport report) => report.IsUnread ? $"a result that counts as none: {Printable.Cut(report.Reason ?? "", LongestWords)}"
        : $"'{Printable.Cut(report.Status, 40)}'{(string.IsNullOrWhiteSpace(report.Text) ? " without a word" : $": {Printable.Cut(report.Text.ReplaceLineEndings(" "), LongestWords)}")}";

    private static SidecarMessage.TaskHandoff HandOff(Run run) => new()
    {
        TaskId = run.TaskId,
        Generation = run.Generation,
        Reason = Printable.Cut(run.Facts.Report?.Reason ?? "the agent asked for a hand-off", WireLimits.MaxReason - 1),
        MessageId = Id(run, "final"),
    };

    private static List<string>? Tried(Run run) => run.Facts.Tried.Count == 0 ? null : [.. run.Facts.Tried.Select(one => $"{one.Profile}: {one.Code}")];

    private static OutboxMessage Pack(Run run, string kind, SidecarMessage message, long now) =>
        new(Id(run, kind switch { "task_accepted" => "accepted", "wake_result" => WakePart(run), _ => "final" }),
            run.Id, run.TaskId, kind, Encoding.UTF8.GetString(Frame.Write(message)), now);

    // Another profile is another wake, and the hub wants to hear of it too.
    private static string WakePart(Run run) => run.Facts.Tried.Count == 0 ? "wake" : $"wake{run.Facts.Tried.Count}";

    // The generation is part of the id: after a higher one was adopted the message says something else.
    private static string Id(Run run, string part) => $"{run.Id}.{run.Generation}.{part}";
}
