using System.Text.Json;
using System.Text.Json.Serialization;
using FleetSidecar.Deadman;
using FleetSidecar.Protocol;
using FleetSidecar.Reload;
using FleetSidecar.Retention;
using FleetSidecar.SelfTest;
using FleetSidecar.Supervise;

namespace FleetSidecar.Control;

/// <summary>One question to the daemon: a line of JSON over the unix socket, answered by one line.</summary>
internal sealed record ControlRequest
{
    /// <summary><c>status</c>, <c>runs</c>, <c>run</c>, <c>task</c>, <c>pause</c>, <c>drain</c>, <c>resume</c>, <c>doctor</c>, <c>supervise</c> or <c>reload</c>.</summary>
    public required string Verb { get; init; }

    /// <summary>A run or task id, for <c>run</c>.</summary>
    public string? Run { get; init; }

    /// <summary>What proves that the caller is the run's agent, for <c>task</c>.</summary>
    public string? Nonce { get; init; }

    /// <summary><c>start</c>, <c>progress</c>, <c>complete</c>, <c>fail</c> or <c>handoff</c>; of <c>supervise</c>: <c>list</c> or <c>retry</c>.</summary>
    public string? Action { get; init; }

    /// <summary>What the agent says, why the operator pauses or drains, or which member is meant.</summary>
    public string? Text { get; init; }

    public int? Percent { get; init; }

    /// <summary>For <c>pause</c> and <c>drain</c>: how long, in seconds; without end where absent.</summary>
    public long? Seconds { get; init; }

    /// <summary>For <c>doctor</c>: mend what can be mended without asking.</summary>
    public bool Fix { get; init; }
}

internal sealed record ControlResponse
{
    public required bool Ok { get; init; }

    public string? Error { get; init; }

    public string? Hint { get; init; }

    public StatusView? Status { get; init; }

    public IReadOnlyList<RunView>? Runs { get; init; }

    public DoctorReport? Doctor { get; init; }

    public IReadOnlyList<MemberView>? Members { get; init; }

    public ReloadReport? Reload { get; init; }

    public static ControlResponse Refuse(string error, string hint) => new() { Ok = false, Error = error, Hint = hint };
}

/// <summary>What <c>fleet-sidecar status</c> shows.</summary>
internal sealed record StatusView
{
    public required string Agent { get; init; }

    public required string Version { get; init; }

    public required int Pid { get; init; }

    public required long UptimeSeconds { get; init; }

    public required LinkReport Hub { get; init; }

    public required StoreReport Store { get; init; }

    /// <summary>Whether the hub may send work now.</summary>
    public required bool Available { get; init; }

    /// <summary>Why not, one line.</summary>
    public string? UnavailableReason { get; init; }

    public required IntakeReport Intake { get; init; }

    /// <summary>The last self-test, where one has run.</summary>
    public SelfTestView? SelfTest { get; init; }

    /// <summary>Profiles whose providers fail.</summary>
    public IReadOnlyList<BreakerView>? Breakers { get; init; }

    /// <summary>The last reload, where there was one.</summary>
    public ReloadReport? Config { get; init; }

    /// <summary>Fingerprint of the configuration files as they were when all that they say was last put in force.</summary>
    public string? ConfigFingerprint { get; init; }

    /// <summary>What the dead man's switch last saw and did, where one runs.</summary>
    public DeadmanState? Deadman { get; init; }

    public required int Slots { get; init; }

    public required int SlotsTaken { get; init; }

    /// <summary>Messages that the hub has not acknowledged.</summary>
    public required int OutboxMessages { get; init; }

    public required long RefusedFrames { get; init; }

    public required IReadOnlyList<RunView> Runs { get; init; }

    public required IReadOnlyList<Incident> Incidents { get; init; }

    /// <summary>What is kept of settled runs, and why; absent before the first look.</summary>
    public RetentionView? Kept { get; init; }

    /// <summary>Members of <c>supervise</c> that are not well.</summary>
    public IReadOnlyList<MemberView>? Members { get; init; }
}

/// <summary>What <c>status --json</c> can say while no daemon answers.</summary>
internal sealed record DeadView(DeadmanState Deadman);

/// <summary>What is let in: <c>open</c>, <c>paused</c> or <c>draining</c>.</summary>
internal sealed record IntakeReport(string Mode, string? Reason, long? SinceUnixMs, long? UntilUnixMs);

internal sealed record SelfTestView(bool Passed, long AgeSeconds, IReadOnlyList<string> Failed);

internal sealed record BreakerView(string Profile, int Failures, long? OpenUntilUnixMs, string LastCode);

/// <summary>What <c>fleet-sidecar doctor</c> shows: every check, and what was mended.</summary>
internal sealed record DoctorReport(bool Passed, IReadOnlyList<CheckResult> Checks, IReadOnlyList<string> Fixed);

internal sealed record LinkReport(string Url, string State, string Detail, int ProtocolVersion, long SinceUnixMs, int Attempts);

internal sealed record StoreReport(string File, string? DamagedFile, string? Problem);

/// <summary>One run as shown to people.</summary>
internal sealed record RunView
{
    public required string RunId { get; init; }

    public required string TaskId { get; init; }

    public required long Generation { get; init; }

    public required string State { get; init; }

    /// <summary>The decided outcome of a settled run.</summary>
    public string? Outcome { get; init; }

    public string? WakeLevel { get; init; }

    public int? Pid { get; init; }

    public int? ExitCode { get; init; }

    /// <summary>Bytes of the agent's output that were more than a wake keeps.</summary>
    public long? OutputDroppedBytes { get; init; }

    public string? Branch { get; init; }

    public string? Commit { get; init; }

    public string? BaseCommit { get; init; }

    public string? PullRequest { get; init; }

    public string? PullRequestState { get; init; }

    public DiffSummary? Diff { get; init; }

    /// <summary>What was checked, where it was; in the answer to <c>run</c> and <c>runs</c>.</summary>
    public VerificationReport? VerificationReport { get; init; }

    public string? Failure { get; init; }

    /// <summary>What the agent reported of its own work, the first 300 characters of it; the outcome may be another.</summary>
    public string? Reported { get; init; }

    public required long CreatedAtUnixMs { get; init; }

    public required long StateSinceUnixMs { get; init; }

    /// <summary>Where the run's files are.</summary>
    public required string Directory { get; init; }

    public string? Workspace { get; init; }

    public int WakeAttempt { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, MaxDepth = 8)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlResponse))]
[JsonSerializable(typeof(StatusView))]
[JsonSerializable(typeof(DeadView))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(ReloadReport))]
[JsonSerializable(typeof(IReadOnlyList<RunView>))]
[JsonSerializable(typeof(IReadOnlyList<MemberView>))]
internal sealed partial class ControlJson : JsonSerializerContext
{
    /// <summary>For people who asked for <c>--json</c>.</summary>
    public static ControlJson Pretty => field ??= new(new JsonSerializerOptions(Default.Options) { WriteIndented = true });
}
