using System.Buffers.Binary;
using System.Text;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Processes;

/// <summary>
/// Reads which loader a program of 64 bits names (PT_INTERP, see elf(5)); a program without one is static.
/// </summary>
internal static class ElfLoader
{
    private const int HeaderBytes = 64,
        EntryBytes = 56,
        MostEntries = 64,
        MostPath = 4096;
    private const uint NamesLoader = 3; // PT_INTERP

    /// <summary>The loader's path; null where the file names none, or is of another kind.</summary>
    public static string? Of(string file)
    {
        try
        {
            using var handle = OutsideFile.OpenBehindLinks(file);
            if (handle.IsInvalid)
            {
                return null;
            }

            Span<byte> header = stackalloc byte[HeaderBytes];
            if (RandomAccess.Read(handle, header, 0) < HeaderBytes || header[4] != 2 || header[5] != 1)
            {
                return null; // Not 64 bits, little endian.
            }

            var (at, count) = (
                BinaryPrimitives.ReadInt64LittleEndian(header[32..]),
                BinaryPrimitives.ReadUInt16LittleEndian(header[56..])
            );
            Span<byte> entry = stackalloc byte[EntryBytes];
            for (var index = 0; index < Math.Min((int)count, MostEntries); index++)
            {
                if (RandomAccess.Read(handle, entry, at + (index * EntryBytes)) < EntryBytes)
                {
                    return null;
                }

                if (BinaryPrimitives.ReadUInt32LittleEndian(entry) == NamesLoader)
                {
                    var length = BinaryPrimitives.ReadInt64LittleEndian(entry[32..]);
                    return length is > 1 and <= MostPath
                        ? Text(handle, BinaryPrimitives.ReadInt64LittleEndian(entry[8..]), (int)length)
                        : null;
                }
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException) { }

        return null;
    }

    private static string Text(Microsoft.Win32.SafeHandles.SafeFileHandle handle, long at, int length)
    {
        var bytes = new byte[length];
        var read = RandomAccess.Read(handle, bytes, at);
        return Encoding.UTF8.GetString(bytes, 0, read).TrimEnd('\0');
    }
}
