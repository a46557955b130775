using System.Text.Json.Serialization;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Everything that was found out about a run, each fact once. Stored as JSON beside the run's columns.</summary>
internal sealed record RunFacts
{
    public string? Workspace { get; init; }

    public string? Branch { get; init; }

    /// <summary>Where the task's branch leaves the one that it is meant for: every commit of the task, of whatever attempt, stands on it.</summary>
    public string? BaseCommit { get; init; }

    /// <summary>Where this attempt began: the base, or what earlier attempts left on the branch.</summary>
    public string? StartCommit { get; init; }

    /// <summary>The branch that the work is meant for.</summary>
    public string? TargetBranch { get; init; }

    /// <summary>What the branch pointed to on the origin when the workspace was made; empty where it did not exist.</summary>
    public string? RemoteAtStart { get; init; }

    public long? WokenAtUnixMs { get; init; }

    /// <summary>What the agent at work was started with; null before that.</summary>
    public WokenWith? WokenWith { get; init; }

    /// <summary>Signal mode: the wake command ended with 0.</summary>
    public bool WakeReturned { get; init; }

    /// <summary>Run mode: the process lived long enough to count as launched.</summary>
    public bool StayedAlive { get; init; }

    /// <summary>The agent echoed the nonce, or left its receipt.</summary>
    public bool Received { get; init; }

    /// <summary>A signal could not be proved and was given once more, under the same wake id.</summary>
    public bool WakeRepeated { get; init; }

    /// <summary>Profiles whose providers failed in this run, in order.</summary>
    /// <remarks>Facts of a version that did not know this are read as null: generated readers pass over an init-only property's initial value.</remarks>
    public IReadOnlyList<ProfileTry> Tried { get; init => field = value ?? []; } = [];

    /// <summary>The profile that is next after a provider failed; the move to it is due.</summary>
    public string? NextProfile { get; init; }

    /// <summary>The session that a probe found at work, in signal mode.</summary>
    public string? SessionId { get; init; }

    /// <summary>Signs of work that were seen since the wake: none, one, or more (2). Counted no further.</summary>
    public int Activity { get; init; }

    /// <summary>How long it took from the wake command to the proof.</summary>
    public long? WakeDurationMs { get; init; }

    /// <summary>Why the last wake attempt did not work, while another is to come.</summary>
    public Failure? WakeProblem { get; init; }

    /// <summary>The pause after that attempt is over.</summary>
    public bool WakeAgainDue { get; init; }

    /// <summary>What <see cref="Ground.Processes.OomKills"/> said when the agent was woken.</summary>
    public long? OomKillsBefore { get; init; }

    /// <summary>How the process ended; null while it may live or before it was started.</summary>
    public ProcessEnd? End { get; init; }

    public AgentReport? Report { get; init; }

    /// <summary>What the agent of a profile had reported before its provider failed; the next profile's agent reports anew.</summary>
    public AgentReport? EarlierReport { get; init; }

    /// <summary>What an agent reported and a failure or a cancellation does not say: the newest, or null where there is nothing like that.</summary>
    [JsonIgnore]
    public AgentReport? Uncounted => Report is not { } said ? EarlierReport : IsMadeOf(said) ? null : said;

    // The judge makes such a failure of each report that is neither a success nor a hand-off.
    private bool IsMadeOf(AgentReport said) => said.Status is not (AgentReport.Success or AgentReport.HandOff) && (said.Status == AgentReport.Failed || Turn is not { Ok: false })
        && Failure is { Code: FailureClass.AgentError, Deadline: null };

    /// <summary>When the agent last said something, unix milliseconds.</summary>
    public long? SpokeAtUnixMs { get; init; }

    /// <summary>How the turn ended by the agent program's own record, where its adapter reads one.</summary>
    public AgentTurn? Turn { get; init; }

    public Failure? Failure { get; init; }

    /// <summary>The agent's processes as they were when it had to be stopped: pid, name, state, processor time.</summary>
    public string? ProcessState { get; init; }

    public string? CancelReason { get; init; }

    public string? SupersededBy { get; init; }

    public VerificationReport? Verification { get; init; }

    public string? Commit { get; init; }

    public int? CommitsAhead { get; init; }

    /// <summary>What changed between base and commit, in numbers.</summary>
    public DiffSummary? Diff { get; init; }

    /// <summary>The pull request for the branch, once it is known to be there.</summary>
    public PullRequest? PullRequest { get; init; }

    /// <summary>The work is where it belongs: pushed and proved, or there was nothing to push.</summary>
    public bool Delivered { get; init; }

    /// <summary>What the hub said when it refused the final message.</summary>
    public string? HubRefusal { get; init; }

    /// <summary>What the hub made of the final message (<c>complete</c>, <c>retried</c>, <c>dead_letter</c>), where it said so.</summary>
    public string? HubAnswer { get; init; }

    /// <summary>The same run before anything is known of the next profile's wake: the workspace and what was tried stay.</summary>
    public RunFacts ForNextProfile() => this with
    {
        NextProfile = null, End = null, Turn = null, Report = null, EarlierReport = Report ?? EarlierReport, Activity = 0, Received = false, StayedAlive = false, WakeReturned = false,
        WakeProblem = null, WakeAgainDue = false, WakeRepeated = false, OomKillsBefore = null, WokenWith = null,
    };
}

/// <summary>The configuration that an agent was started with. A daemon that starts with another one reads its output, its report and its end by this.</summary>
/// <param name="Profile">Without the values of variables.</param>
/// <param name="Results">The directory that it was told to leave its report in.</param>
internal sealed record WokenWith(WakeProfile Profile, string Results);

/// <summary>How a process ended. No code: nothing recorded it.</summary>
internal sealed record ProcessEnd(int? ExitCode, long AtUnixMs)
{
    /// <summary>The last lines of its output, redacted.</summary>
    public string? LastOutput { get; init; }

    /// <summary>Bytes of output that the limit of the profile dropped; null where all of it is there.</summary>
    public long? OutputDroppedBytes { get; init; }

    /// <summary>The kernel killed for lack of memory while it ran, and it ended by signal 9.</summary>
    public bool OutOfMemory { get; init; }

    /// <summary>The signal, where the shell's convention (128 + n) says that one ended the process.</summary>
    [JsonIgnore]
    public int? Signal => ExitCode is > 128 and <= 128 + 64 ? ExitCode - 128 : null;
}

/// <summary>What the agent said of its own work.</summary>
internal sealed record AgentReport(string Status, string? Output, string? Reason)
{
    public const string Success = "success";
    public const string Failed = "failed";
    public const string HandOff = "handoff";

    /// <summary>U+FFFD stands in it for something that was no text.</summary>
    public bool Repaired { get; init; }

    /// <summary>These are our words about a result that could not be read, and not the agent's.</summary>
    public bool IsUnread { get; init; }

    /// <summary>What it says in words, whatever its status.</summary>
    [JsonIgnore]
    public string? Text => Output is { } output && Reason is { } reason ? $"{reason}\n{output}" : Output ?? Reason;

    public static AgentReport Unread(string why) => new(Failed, null, why) { IsUnread = true };
}

/// <summary>A pull request as the forge shows it: where it is, and whether it is <c>open</c>, <c>closed</c> or <c>merged</c>.</summary>
internal sealed record PullRequest(string Url, string State);

/// <summary>Why a run failed: one of <see cref="FailureClass"/> and a line for people.</summary>
internal sealed record Failure(string Code, string Reason)
{
    /// <summary>The deadline that passed, where the code is <c>timeout</c>.</summary>
    public string? Deadline { get; init; }

    public bool Retryable { get; init; } = true;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RunFacts))]
internal sealed partial class RunJson : JsonSerializerContext;
