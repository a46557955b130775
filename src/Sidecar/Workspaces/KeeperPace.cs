namespace FleetSidecar.Workspaces;

/// <summary>When a workspace that could not be looked at has its next turn. Pure.</summary>
/// <remarks>A failure that was quick is tried again soon: mostly the origin is away. One that took long has taken the others' time, so
/// it pays for that many times over.</remarks>
internal static class KeeperPace
{
    private const int Share = 12;

    private static readonly TimeSpan First = TimeSpan.FromSeconds(2), LongestDoubled = TimeSpan.FromMinutes(10), Longest = TimeSpan.FromHours(1);

    /// <summary>The pause after a failure.</summary>
    /// <param name="before">The pause before it; zero at the first failure.</param>
    /// <param name="took">How long the look took.</param>
    public static TimeSpan After(TimeSpan before, TimeSpan took)
    {
        var doubled = before == TimeSpan.Zero ? First : Min(before * 2, LongestDoubled);
        return Min(took * Share > doubled ? took * Share : doubled, Longest);
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
