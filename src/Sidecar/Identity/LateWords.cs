namespace FleetSidecar.Identity;

/// <summary>What of a file in the old directory is not in the new one, where both may have been written since they were the same. Pure.</summary>
internal static class LateWords
{
    /// <summary>What must be added to the new file, or null where the old one was not only added to.</summary>
    /// <param name="carried">The content that the new file is known to have been given from the old one.</param>
    /// <param name="old">The old file now.</param>
    /// <param name="current">The new file now.</param>
    /// <param name="certain">False where a crash came in between: more than is known may have been carried.</param>
    public static byte[]? Missing(ReadOnlySpan<byte> carried, ReadOnlySpan<byte> old, ReadOnlySpan<byte> current, bool certain)
    {
        if (!old.StartsWith(carried))
        {
            return null;
        }

        // Whole lines: two that begin alike are still two.
        var known = certain ? carried.Length : Math.Max(carried.Length, old[..old.CommonPrefixLength(current)].LastIndexOf((byte)'\n') + 1);
        var tail = old[known..];
        return !certain && current.IndexOf(tail) >= 0 ? [] : tail.ToArray();
    }
}
