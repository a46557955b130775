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
}

/// <summary>What was checked before a run was called complete.</summary>
public sealed record VerificationReport
{
    /// <summary><c>pass</c>, <c>fail</c> or <c>skipped</c>.</summary>
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

    /// <summary><c>pass</c>, <c>fail</c> or <c>skipped</c> (this version does not run that kind of step).</summary>
    public required string Status { get; init; }

    /// <summary>One line of evidence.</summary>
    public string? Detail { get; init; }
}
