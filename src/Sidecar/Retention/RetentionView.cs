using FleetSidecar.SelfTest;

namespace FleetSidecar.Retention;

/// <summary>What is kept of settled runs, and why: for <c>fleet-sidecar status</c>.</summary>
internal sealed record RetentionView
{
    /// <summary>Settled runs, those of which only a directory is left included.</summary>
    public required int Runs { get; init; }

    /// <summary>What they take, files and rows.</summary>
    public required long Bytes { get; init; }

    /// <summary>When the oldest of them was settled.</summary>
    public long? OldestAtUnixMs { get; init; }

    /// <summary>How many of them have a row and no files any more.</summary>
    public required int WithoutFiles { get; init; }

    /// <summary>How many stay whatever the limits say, by reason.</summary>
    public required IReadOnlyList<HeldRuns> Held { get; init; }

    public required long KeepRunsForSeconds { get; init; }

    public required int MinRuns { get; init; }

    public required int MaxRuns { get; init; }

    public required long MaxRunBytes { get; init; }

    /// <summary>Less than a quarter above the floor is free: files of the oldest runs go whatever their age.</summary>
    public required bool NearDiskFloor { get; init; }

    public required long StoreBytes { get; init; }

    /// <summary>Bytes of the store's file that new rows will use first.</summary>
    public required long StoreFreeBytes { get; init; }

    /// <summary>Damaged stores that were moved aside. They are never removed: they may hold what is nowhere else.</summary>
    public required int DamagedStoreFiles { get; init; }

    public required long DamagedStoreBytes { get; init; }
}

/// <summary>Settled runs that must stay.</summary>
internal sealed record HeldRuns(string Why, int Runs, long Bytes);

/// <summary>What one look of retention did.</summary>
/// <param name="Removed">What went.</param>
/// <param name="Mirror">The mirror that went because nothing else could, or null.</param>
/// <param name="Shortage">What the disk lacked when it began.</param>
/// <param name="MoreToDo">There is more than one look removes.</param>
/// <param name="Shrunk">The store's file was written again without its free pages.</param>
/// <param name="Displaced">How many things went that had stood in the place of files of ours.</param>
/// <param name="Problems">What could not be removed, a line each.</param>
/// <param name="View">What is kept.</param>
internal sealed record RetentionOutcome(
    IReadOnlyList<Removal> Removed, string? Mirror, DiskShortage Shortage, bool MoreToDo, bool Shrunk, int Displaced, IReadOnlyList<string> Problems, RetentionView View);
