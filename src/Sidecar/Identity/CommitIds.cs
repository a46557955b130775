namespace FleetSidecar.Identity;

/// <summary>How commits are named here: in full, so that nobody can make another one of that name.</summary>
internal static class CommitIds
{
    public static bool IsFull(string text) => text.Length is 40 or 64 && text.All(letter => char.IsAsciiHexDigitLower(letter));
}
