namespace FleetSidecar.Identity;

/// <summary>All that a sync will do, on disk before it begins: whoever finds it can finish it or undo it without asking anybody.</summary>
internal sealed record SyncPlan
{
    public const string Forward = "sync", Rollback = "rollback", Undo = "undo";

    /// <summary><see cref="Forward"/>, <see cref="Rollback"/> or <see cref="Undo"/>.</summary>
    public required string Kind { get; init; }

    public required string Method { get; init; }

    public required long StartedAtUnixMs { get; init; }

    /// <summary>The commit that the tree will be at; null where a rollback leads to what no commit was known for.</summary>
    public string? Commit { get; init; }

    /// <summary>The commit that it was at, as far as is known.</summary>
    public string? FromCommit { get; init; }

    /// <summary>Tree of the version that the files came from, without identity paths.</summary>
    public required string FromTree { get; init; }

    /// <summary>Tree to come to, without identity paths.</summary>
    public required string ToTree { get; init; }

    /// <summary>What was really there, uncommitted changes included: where an undo leads.</summary>
    public required string BeforeTree { get; init; }

    /// <summary>Method swap: the directory that the link leads to afterwards.</summary>
    public string? Directory { get; init; }

    /// <summary>Method swap: where it led before.</summary>
    public string? FromDirectory { get; init; }

    /// <summary>The ref in our repository with uncommitted work of the tree, where there was any.</summary>
    public string? RescueRef { get; init; }

    public required IReadOnlyList<PlannedFile> Files { get; init; }

    /// <summary>Identity paths that the upstream carries and that are not materialised.</summary>
    public IReadOnlyList<string> Collisions { get; init; } = [];

    /// <summary>The plan that takes this one back; the identity stays what it is.</summary>
    public SyncPlan Reversed() => this with
    {
        Kind = Undo, Commit = FromCommit, FromCommit = Commit, FromTree = ToTree, ToTree = BeforeTree, BeforeTree = ToTree,
        Directory = FromDirectory, FromDirectory = Directory, Collisions = [],
    };
}

/// <summary>One identity file of a plan; its bytes lie beside the plan.</summary>
internal sealed record PlannedFile
{
    public required string Path { get; init; }

    /// <summary>Of the chosen bytes.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The source that they were read from.</summary>
    public required string From { get; init; }

    public required int Mode { get; init; }

    public required uint Owner { get; init; }

    public required uint Group { get; init; }
}
