using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Reads a small file that another program wrote, whatever it holds: never blocks on a pipe or a lease, never reads without end.</summary>
public static partial class OutsideFile
{
    private const int NonBlocking = 0x800, CloseOnExec = 0x80000, ReadAndWrite = 2, WouldBlock = 11;

    /// <summary>The bytes; null where there is no readable file or it is longer than <paramref name="limit"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">Most bytes that are read.</param>
    /// <param name="followLink">False refuses a symbolic link, which could point us at what its maker may not read.</param>
    public static byte[]? Read(string path, int limit, bool followLink)
    {
        using var file = new SafeFileHandle(Open(path, NonBlocking | CloseOnExec | (followLink ? 0 : NoFollow)), ownsHandle: true);
        return Read(file, limit);
    }

    /// <summary>The same for a file in a directory that its maker can replace by a link as well: neither is followed.</summary>
    public static byte[]? ReadInside(string path, int limit)
    {
        using var file = OpenInside(path);
        return Read(file, limit);
    }

    private static byte[]? Read(SafeFileHandle file, int limit)
    {
        if (file.IsInvalid)
        {
            return null;
        }

        var (bytes, length) = (Array.Empty<byte>(), 0);
        try
        {
            // As long as it says that it is, and one more; what grows meanwhile is followed up to the limit.
            bytes = new byte[Math.Min(PathFacts.Opened((int)file.DangerousGetHandle())?.Length ?? 0, limit) + 1];
            for (int count; (count = RandomAccess.Read(file, bytes.AsSpan(length), length)) > 0 && (length += count) <= limit;)
            {
                if (length == bytes.Length)
                {
                    Array.Resize(ref bytes, (int)Math.Min(limit + 1L, Math.Max(4096, 2L * length)));
                }
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null; // A pipe with a silent writer, a directory, a device.
        }

        return length > limit ? null : length == bytes.Length ? bytes : bytes[..length];
    }

    /// <summary>A file that may be large or still growing, to be read by whoever asks; null where there is none, or a link, a pipe or a device in its place, or a link in the place of its directory.</summary>
    public static FileStream? Stream(string path)
    {
        if (PathFacts.Of(path) is not { Kind: PathKind.File })
        {
            return null;
        }

        var file = OpenInside(path);
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

    /// <summary>The same file to be changed in its place, by a caller that may write to it; null for everything else.</summary>
    public static SafeFileHandle? OpenToChange(string path)
    {
        if (PathFacts.Of(path) is not { Kind: PathKind.File })
        {
            return null;
        }

        var file = OpenInside(path, ReadAndWrite);
        if (!file.IsInvalid)
        {
            return file;
        }

        file.Dispose();
        return null;
    }

    /// <summary>A file behind whatever links lead to it, also behind a descriptor in <c>/proc</c>; invalid where it cannot be opened this moment.</summary>
    /// <param name="path">The file.</param>
    /// <param name="toChange">Also to write.</param>
    public static SafeFileHandle OpenBehindLinks(string path, bool toChange = false) => new(Open(path, NonBlocking | CloseOnExec | (toChange ? ReadAndWrite : 0)), ownsHandle: true);

    /// <summary>Why a file cannot be opened this moment, or null where it can.</summary>
    public static string? Complaint(string path)
    {
        using var file = new SafeFileHandle(Open(path, NonBlocking | CloseOnExec | NoFollow), ownsHandle: true);
        return !file.IsInvalid ? null : Marshal.GetLastPInvokeError() == WouldBlock ? "another program has a lease on it" : Marshal.GetLastPInvokeErrorMessage();
    }

    // From the directory above, which an agent cannot rename; that one may be a link of the operator's.
    private static SafeFileHandle OpenInside(string path, int access = 0)
    {
        var directory = Path.GetDirectoryName(path)!;
        using var inside = InsideDirectory.Open($"{Path.GetDirectoryName(directory) ?? "/"}/.", Path.GetFileName(directory));
        return inside?.OpenFile(Path.GetFileName(path), access | NonBlocking) ?? new SafeFileHandle(-1, ownsHandle: true);
    }

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);
}
