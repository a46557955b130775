namespace FleetSidecar.Retention;

/// <summary>One settled run as retention sees it.</summary>
/// <param name="Id">Its id, and the name of its directory.</param>
/// <param name="TaskId">Its task; empty where only the directory is left.</param>
/// <param name="SettledAtUnixMs">When it was settled; for a directory without a row, when it was last changed.</param>
/// <param name="FileBytes">What its directory takes on the disk.</param>
/// <param name="RowBytes">What its row takes in the store.</param>
/// <param name="HasFiles">There is a directory.</param>
/// <param name="HasRow">There is a row.</param>
/// <param name="Hold">Why it must stay, one of <see cref="RetentionHold"/>; null where nothing is against removing it.</param>
internal sealed record RetainedRun(string Id, string TaskId, long SettledAtUnixMs, long FileBytes, long RowBytes, bool HasFiles, bool HasRow, string? Hold)
{
    public long Bytes => FileBytes + RowBytes;
}

/// <summary>Why a settled run stays whatever the limits say.</summary>
internal static class RetentionHold
{
    /// <summary>A message of it has not been acknowledged.</summary>
    public const string Hub = "unacknowledged by the hub";

    /// <summary>Its workspace is still there.</summary>
    public const string Workspace = "workspace kept";

    /// <summary>A directory without a row that was changed within the last hour: a run may be about to get it.</summary>
    public const string Recent = "directory in use";
}

/// <summary>What may go of a run.</summary>
internal enum RemovalScope
{
    /// <summary>Its directory. The row stays: what became of the task is known as before.</summary>
    Files,

    /// <summary>Directory and row. The run is unknown afterwards.</summary>
    All,
}

/// <summary>One run that goes.</summary>
internal readonly record struct Removal(RetainedRun Run, RemovalScope Scope);
