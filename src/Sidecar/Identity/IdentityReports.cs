namespace FleetSidecar.Identity;

/// <summary>What <c>identity check</c> and <c>identity seal</c> say.</summary>
internal sealed record IdentityReport
{
    public required string Agent { get; init; }

    public required string Tree { get; init; }

    /// <summary>Every live file is there and this agent's.</summary>
    public required bool Ours { get; init; }

    /// <summary>A sync is under way, or was cut short and waits to be finished.</summary>
    public required bool Unfinished { get; init; }

    public required IReadOnlyList<IdentityFileReport> Files { get; init; }

    public static IdentityReport Of(string agent, string tree, bool unfinished, IReadOnlyList<JudgedFile> files) => new()
    {
        Agent = agent, Tree = tree, Unfinished = unfinished, Ours = files.All(file => file.Live.IsOurs),
        Files = [.. files.Select(file => new IdentityFileReport(file.File.Path, file.File.Rule, [.. file.Sources.Select(source => new IdentitySourceReport(source.Place, source.State, source.Detail))]))],
    };
}

internal sealed record IdentityFileReport(string Path, string Rule, IReadOnlyList<IdentitySourceReport> Sources);

internal sealed record IdentitySourceReport(string Place, string State, string Detail);

/// <summary>What <c>sync</c> says.</summary>
internal sealed record SyncReport
{
    /// <summary><c>synced</c>, <c>current</c>, <c>would_sync</c>, <c>rolled_back</c> or <c>held</c>.</summary>
    public required string Outcome { get; init; }

    public string? Commit { get; init; }

    public string? FromCommit { get; init; }

    public required string Method { get; init; }

    /// <summary>Files of the tree that change, identity files not counted.</summary>
    public int ChangedFiles { get; init; }

    /// <summary>Identity paths that the upstream carries; ours stayed.</summary>
    public IReadOnlyList<string> Collisions { get; init; } = [];

    /// <summary>Identity files that were not ours and are again, with the source that they came from.</summary>
    public IReadOnlyList<string> Restored { get; init; } = [];

    public string? RescueRef { get; init; }

    /// <summary>An earlier sync had been cut short, and was finished or undone first.</summary>
    public bool Recovered { get; init; }

    /// <summary>What else there is to say, a line each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>What <c>contacts</c> says.</summary>
internal sealed record ContactsReport
{
    public required int Count { get; init; }

    public required IReadOnlyList<IReadOnlyDictionary<string, string?>> Contacts { get; init; }
}
