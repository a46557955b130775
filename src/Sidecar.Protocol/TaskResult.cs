namespace FleetSidecar.Protocol;

/// <summary>What a finished run hands over: the verdict and the evidence for it.</summary>
public sealed record TaskResult
{
    /// <summary><c>success</c>, or the run is not complete whatever the message is called; see L9 in <c>docs/failures.md</c>.</summary>
    public required string Status { get; init; }

    /// <summary>What the agent said, at most <see cref="WireLimits.MaxResultOutput"/> characters.</summary>
    public string? Output { get; init; }

    /// <summary>The branch on the origin that holds the work.</summary>
    public string? Branch { get; init; }

    /// <summary>The commit that was pushed; <c>ls-remote</c> gave the same one before this was sent.</summary>
    public string? Commit { get; init; }

    /// <summary>The commit that the work stands on.</summary>
    public string? BaseCommit { get; init; }

    /// <summary>How many commits the branch is ahead of <see cref="BaseCommit"/>.</summary>
    public int? CommitsAhead { get; init; }

    /// <summary>Exit code of the agent process, where it ran as one turn.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The highest wake level that was proved.</summary>
    public string? WakeLevel { get; init; }

    /// <summary>The profile that woke the agent.</summary>
    public string? Profile { get; init; }

    /// <summary>Profiles whose providers failed before that one, each as <c>profile: class</c>, in order.</summary>
    public IReadOnlyList<string>? ProfilesTried { get; init; }

    /// <summary>The agent program's own id of the session, where its adapter reads one.</summary>
    public string? SessionId { get; init; }

    /// <summary>Who served the model, as the agent's program says.</summary>
    public string? Provider { get; init; }

    /// <summary>The model that did the work, as the agent's program says.</summary>
    public string? Model { get; init; }

    /// <summary>US dollars, where the agent's program says so itself; never a guess.</summary>
    public decimal? CostUsd { get; init; }

    /// <summary>The run's id on its machine, for <c>fleet-sidecar logs</c>.</summary>
    public string? RunId { get; init; }

    /// <summary>Bytes of the agent's output that its machine did not keep, because they were more than a wake may keep; absent where all of it is there.</summary>
    public long? OutputDroppedBytes { get; init; }

    /// <summary>What changed between <see cref="BaseCommit"/> and <see cref="Commit"/>, in numbers.</summary>
    public DiffSummary? Diff { get; init; }

    /// <summary>Address of the pull request for <see cref="Branch"/>; absent where none is wanted or the forge could not be moved to open one, which a check <c>pull_request</c> then says.</summary>
    public string? PullRequest { get; init; }

    /// <summary>How that pull request stood: <c>open</c>, <c>closed</c> or <c>merged</c>.</summary>
    public string? PullRequestState { get; init; }
}

/// <summary>The size of a change.</summary>
public sealed record DiffSummary
{
    /// <summary>Changed files; a rename is one.</summary>
    public required int Files { get; init; }

    /// <summary>Lines added; binary files have none.</summary>
    public required long Insertions { get; init; }

    /// <summary>Lines taken away; binary files have none.</summary>
    public required long Deletions { get; init; }

    /// <summary>Files that are gone; renamed ones are not.</summary>
    public required int DeletedFiles { get; init; }

    /// <summary>The first 50 changed paths, each cut at 256 characters and fit for one line.</summary>
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>False where there are more paths than those.</summary>
    public bool? Complete { get; init; }
}

/// <summary>What was checked before a run was called complete.</summary>
public sealed record VerificationReport
{
    /// <summary><c>pass</c>: everything that was asked for was checked and holds. <c>fail</c>: something does not. <c>skipped</c>: nothing failed, but not everything was checked.</summary>
    public required string Status { get; init; }

    /// <summary>One entry a check, in the order they ran.</summary>
    public required IReadOnlyList<VerificationCheck> Checks { get; init; }
}

/// <summary>One check and its outcome.</summary>
public sealed record VerificationCheck
{
    /// <summary>What kind of check: <c>commits</c>, <c>file_exists</c>, or the step's own type.</summary>
    public required string Type { get; init; }

    /// <summary>What was checked.</summary>
    public string? Target { get; init; }

    /// <summary><c>pass</c>, <c>fail</c> or <c>skipped</c> (not made; the detail says why).</summary>
    public required string Status { get; init; }

    /// <summary>One line of evidence.</summary>
    public string? Detail { get; init; }
}
