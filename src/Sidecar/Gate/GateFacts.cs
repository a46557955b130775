using FleetSidecar.Workspaces;

namespace FleetSidecar.Gate;

/// <summary>Everything that the verdict is made from. What could not be found out is null, and null never speaks for a merge.</summary>
internal sealed record GateFacts
{
    /// <summary>Why the repository could not be read; the rest is then unknown.</summary>
    public string? Unreadable { get; init; }

    public required string Branch { get; init; }

    /// <summary>The branch that the work is to be merged into.</summary>
    public string? Target { get; init; }

    public string? Task { get; init; }

    /// <summary>What the branch of that task has to be called: whole where the agent is known, else how it has to end.</summary>
    public string? WantedBranch { get; init; }

    public long? Generation { get; init; }

    /// <summary>The highest generation that the origin has a ref for.</summary>
    public long? HighestGeneration { get; init; }

    /// <summary>The commit of this generation's ref on the origin.</summary>
    public string? GenerationCommit { get; init; }

    /// <summary>The branch still holds what the generation before submitted; null where there is none.</summary>
    public bool? KeepsEarlierWork { get; init; }

    public string? Head { get; init; }

    public string? TargetHead { get; init; }

    /// <summary>Where branch and target part; null where they have nothing in common.</summary>
    public string? MergeBase { get; init; }

    /// <summary>The commit that the run reports to stand on belongs to the target and to the branch; null where none is reported.</summary>
    public bool? ReportedBaseHolds { get; init; }

    public GateVerification? Verification { get; init; }

    /// <summary>Null where the change could not be read whole.</summary>
    public IReadOnlyList<GateFile>? Files { get; init; }

    public long Insertions { get; init; }

    public long Deletions { get; init; }
}

/// <summary>What the report of the checks says, and of which commit and generation.</summary>
internal sealed record GateVerification(string Status, string? Commit, long? Generation, string? BaseCommit)
{
    /// <summary>The task that it names; null where it names none.</summary>
    public string? Task { get; init; }

    /// <summary>False where nothing in it says how the work ended.</summary>
    public bool SaysEnd { get; init; } = true;

    /// <summary>The branch that it names; null where it names none.</summary>
    public string? Branch { get; init; }

    /// <summary>What it says of the work as a whole, where that is anything but a good end.</summary>
    public string? BadEnd { get; init; }
}

/// <summary>One changed file with what the rules want to know of its content.</summary>
/// <param name="Change">What git says.</param>
/// <param name="Bytes">Its size now; null where it is gone or was not measured.</param>
/// <param name="LinkTarget">Where it leads, for a symbolic link.</param>
internal sealed record GateFile(ChangedFile Change, long? Bytes, string? LinkTarget);

/// <summary>How much a reason weighs; the heaviest one is the verdict.</summary>
internal enum GateWeight
{
    AutoMerge,
    Review,
    Escalate,
}

/// <summary>Why a change is not merged unseen.</summary>
internal sealed record GateReason(GateWeight Weight, string Code, string Detail);
