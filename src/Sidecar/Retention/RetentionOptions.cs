namespace FleetSidecar.Retention;

/// <summary>Section <c>retention</c>: how long settled runs stay, their files and their rows. See docs/operations.md, "What is kept".</summary>
/// <remarks>
/// A run that is open, that the hub has not acknowledged, or whose workspace is kept is never removed and counts for none of
/// these limits. The newest settled run stays as well, unless the disk is near its floor.
/// </remarks>
internal sealed class RetentionOptions
{
    /// <summary>Age after which a settled run is removed, 0 to 365 days; default 14 days. The newest <see cref="MinRuns"/> stay whatever their age.</summary>
    public TimeSpan KeepRunsFor { get; set; } = TimeSpan.FromDays(14);

    /// <summary>So many of the newest settled runs stay whatever their age, 0 to 100 000; default 100. <see cref="MaxRunBytes"/> and the disk floor come first.</summary>
    public int MinRuns { get; set; } = 100;

    /// <summary>Most settled runs that stay whatever their age, <see cref="MinRuns"/> to 100 000; default 1000. Older ones are removed.</summary>
    public int MaxRuns { get; set; } = 1000;

    /// <summary>Most bytes that settled runs have together, files and rows, 0 and more; default 2 GiB. The oldest are removed until the rest fits.</summary>
    public long MaxRunBytes { get; set; } = 2L * 1024 * 1024 * 1024;

    /// <summary>Time between two looks, 1 s to 1 day; default 1 min. Near the disk floor a look also follows the end of each run at once.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(1);
}
