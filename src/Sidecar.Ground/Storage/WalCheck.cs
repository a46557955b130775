using System.Buffers.Binary;

namespace FleetSidecar.Ground.Storage;

/// <summary>Looks at a write-ahead log before the engine does, which would silently drop whatever it cannot read.</summary>
/// <remarks>
/// The shared-memory file that a killed process leaves says how many frames were committed; the log must still hold all of
/// them, unbroken. A frame counts there only after it was synced, so a power cut cannot make it promise too much. Formats:
/// <see href="https://www.sqlite.org/walformat.html"/>. May get wrong: where the shared-memory file is gone as well, nothing
/// is left to compare with.
/// </remarks>
internal static class WalCheck
{
    private const int LogHeader = 32, FrameHeader = 24, IndexHeader = 48, IndexBytes = 100;
    private const uint IndexVersion = 3007000, LittleEndianMagic = 0x377f0682, BigEndianMagic = 0x377f0683;

    /// <summary>What is wrong with the log of a database, or null.</summary>
    public static string? Problem(string database)
    {
        if (ReadStart(database + "-shm", IndexBytes) is not { } index || !IsWhole(index))
        {
            return null;
        }

        var frames = BitConverter.ToUInt32(index, 16);
        var checkpointed = BitConverter.ToUInt32(index, 96);
        if (frames == 0 || checkpointed >= frames)
        {
            return null; // Everything is in the database itself.
        }

        var page = BitConverter.ToUInt16(index, 14) is var size && size == 1 ? 65536 : (int)size;
        var found = File.Exists(database + "-wal") ? UnbrokenFrames(database + "-wal", page, index.AsSpan(32, 8), frames) : 0;
        return found >= frames ? null : $"its log holds {found} of {frames} committed frames";
    }

    private static bool IsWhole(byte[] index) =>
        BitConverter.ToUInt32(index) == IndexVersion && index[12] != 0 && index.AsSpan(0, IndexHeader).SequenceEqual(index.AsSpan(IndexHeader, IndexHeader));

    // One frame in memory at a time, and no more of them than are asked for: a log may be of any length.
    private static uint UnbrokenFrames(string path, int page, ReadOnlySpan<byte> salt, uint most)
    {
        using var log = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1 << 16);
        Span<byte> head = stackalloc byte[LogHeader];
        if (log.ReadAtLeast(head, LogHeader, throwOnEndOfStream: false) < LogHeader
            || BinaryPrimitives.ReadUInt32BigEndian(head) is not (LittleEndianMagic or BigEndianMagic) || !head.Slice(16, 8).SequenceEqual(salt))
        {
            return 0;
        }

        var bigEndian = BinaryPrimitives.ReadUInt32BigEndian(head) == BigEndianMagic;
        var sum = Add((0, 0), head[..24], bigEndian);
        var frame = new byte[FrameHeader + page];
        var count = 0u;
        while (count < most && log.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length)
        {
            sum = Add(Add(sum, frame.AsSpan(0, 8), bigEndian), frame.AsSpan(FrameHeader), bigEndian);
            if (!frame.AsSpan(8, 8).SequenceEqual(salt)
                || BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(16)) != sum.First || BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(20)) != sum.Second)
            {
                break;
            }

            count++;
        }

        return count;
    }

    private static (uint First, uint Second) Add((uint First, uint Second) sum, ReadOnlySpan<byte> bytes, bool bigEndian)
    {
        var (first, second) = sum;
        for (var at = 0; at < bytes.Length; at += 8)
        {
            first += Word(bytes[at..], bigEndian) + second;
            second += Word(bytes[(at + 4)..], bigEndian) + first;
        }

        return (first, second);
    }

    private static uint Word(ReadOnlySpan<byte> bytes, bool bigEndian) =>
        bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static byte[]? ReadStart(string path, int count)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[count];
        return file.ReadAtLeast(bytes, count, throwOnEndOfStream: false) == count ? bytes : null;
    }
}
