using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Reads a small file that somebody else wrote, whatever they put there: never blocks on a pipe, never reads without end.</summary>
public static partial class OutsideFile
{
    private const int NonBlocking = 0x800, CloseOnExec = 0x80000;

    /// <summary>The bytes; null where there is no readable file or it is longer than <paramref name="limit"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">Most bytes that are read.</param>
    /// <param name="followLink">False refuses a symbolic link, which could point us at what its maker may not read.</param>
    public static byte[]? Read(string path, int limit, bool followLink)
    {
        using var file = new SafeFileHandle(Open(path, NonBlocking | CloseOnExec | (followLink ? 0 : NoFollow)), ownsHandle: true);
        if (file.IsInvalid)
        {
            return null;
        }

        var bytes = new byte[limit + 1];
        var length = 0;
        try
        {
            int count;
            while (length < bytes.Length && (count = RandomAccess.Read(file, bytes.AsSpan(length), length)) > 0)
            {
                length += count;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null; // A pipe with a silent writer, a directory, a device.
        }

        return length <= limit ? bytes[..length] : null;
    }

    /// <summary>A file that may be large or still growing, to be read by whoever asks; null where there is none, or a link, a pipe or a device in its place.</summary>
    public static FileStream? Stream(string path)
    {
        if (PathFacts.Of(path) is not { Kind: PathKind.File })
        {
            return null;
        }

        var file = new SafeFileHandle(Open(path, NonBlocking | CloseOnExec | NoFollow), ownsHandle: true);
        try
        {
            if (!file.IsInvalid && new FileStream(file, FileAccess.Read) is { CanSeek: true } stream)
            {
                return stream;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException)
        {
        }

        file.Dispose();
        return null;
    }

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);
}
