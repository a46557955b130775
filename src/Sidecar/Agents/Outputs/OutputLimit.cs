using FleetSidecar.Ground.Files;

namespace FleetSidecar.Agents.Outputs;

/// <summary>How much of one stream of an agent is kept: its beginning and its end. Pure.</summary>
/// <param name="Head">Bytes of the beginning.</param>
/// <param name="Tail">Bytes of the end: three times as many, because the record of a turn stands last.</param>
internal readonly record struct OutputLimit(long Head, long Tail)
{
    /// <summary>A file may be this much longer than head and tail: it then holds the line that tells of the gap.</summary>
    public const int MarkerBytes = 128;

    /// <summary>Standard output has three quarters of what a wake may keep.</summary>
    public static OutputLimit OfOutput(long wakeBytes) => Of(wakeBytes - (wakeBytes / 4));

    /// <summary>Standard error has the fourth quarter.</summary>
    public static OutputLimit OfErrors(long wakeBytes) => Of(wakeBytes / 4);

    /// <summary>The line that stands in the place of the bytes that were dropped.</summary>
    public static string Marker(long dropped) => $"[fleet-sidecar: {dropped} bytes of output dropped here]\n";

    /// <summary>The range whose room can be given back while the writer goes on, or null while that is not worth a call.</summary>
    /// <param name="length">Length of the file.</param>
    /// <param name="data">Where the first data behind the head begin: later than the head once a hole was made.</param>
    public (long From, long Length)? Middle(long length, long data)
    {
        var from = Math.Max(RoundUp(Head), RoundDown(data));
        var span = RoundDown(length - Tail) - from;
        return span >= Math.Max(SparseFile.Alignment, Tail / 16) ? (from, span) : null;
    }

    /// <summary>Where the kept head ends and the kept tail begins in a file that is no longer written; null where all of it is kept.</summary>
    /// <param name="length">Length of the file.</param>
    /// <param name="hole">Where its first hole begins; its length where it has none.</param>
    /// <param name="data">Where the first data behind that hole begin.</param>
    public (long HeadEnd, long TailStart)? Cut(long length, long hole, long data)
    {
        if (length <= Head + Tail + MarkerBytes)
        {
            return null;
        }

        // A hole was made under the limit of that moment, which a reload may have changed.
        var (headEnd, tailStart) = (Math.Min(Head, hole), Math.Max(length - Tail, hole < length - Tail ? Math.Min(data, length) : 0));
        return (headEnd, tailStart);
    }

    private static OutputLimit Of(long bytes) => new(bytes / 4, bytes - (bytes / 4));

    private static long RoundUp(long place) => (place + SparseFile.Alignment - 1) / SparseFile.Alignment * SparseFile.Alignment;

    private static long RoundDown(long place) => place / SparseFile.Alignment * SparseFile.Alignment;
}
