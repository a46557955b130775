namespace FleetHub.Agents;

/// <summary>When two sidecars have one identity. Pure.</summary>
/// <remarks>
/// One sidecar whose network flaps keeps its instance id, so it is never a change. One that crashes again and again has
/// another id each time, and none of them comes back. Two that live do come back: that, or an older connection that still
/// answers, is the proof. A version 1 sidecar names no instance, so only an answer counts there.
/// </remarks>
internal static class IdentityRules
{
    /// <summary>Changes are counted over this time, and a refused sidecar is asked to stay away for as long.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    /// <summary>So many changes of holder within the window are believed to be one sidecar's trouble.</summary>
    public const int MaxChanges = 3;

    /// <summary>Whether a connection belongs to the process that already holds the identity.</summary>
    public static bool IsSame(string? holder, string? newcomer) => holder is not null && holder == newcomer;

    /// <summary>Whether these changes, the newest one included, prove that two sidecars live.</summary>
    public static bool IsShared(IReadOnlyList<IdentityChange> changes, TimeSpan now)
    {
        var recent = changes.Where(change => now - change.At < Window).ToList();
        return recent.Count > MaxChanges && recent.Any(change => change.OlderAnswered || CameBack(recent, change));
    }

    // The newcomer of this change had lost the identity in an earlier one.
    private static bool CameBack(List<IdentityChange> recent, IdentityChange change) =>
        change.To is not null && recent.Any(earlier => earlier.At < change.At && earlier.From == change.To);
}
