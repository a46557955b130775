using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Gives a file another name, and does nothing else. See rename(2).</summary>
/// <remarks>
/// The framework's <c>File.Move</c> copies the content where the rename fails, and the copy follows a link. An agent that puts a link
/// at that name would get a copy of a file that only the daemon may read.
/// </remarks>
public static partial class FileRename
{
    /// <summary>The error number of an <see cref="IOException"/> where the new name is on another file system.</summary>
    public const int OtherFileSystem = 18;

    private const int NotPermitted = 1, AccessDenied = 13;

    /// <summary>Whatever file or link has the new name is replaced, at one instant. A link is itself, never what it leads to.</summary>
    /// <exception cref="IOException">It has the old name still.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public static void Over(string from, string to)
    {
        if (Rename(from, to) == 0)
        {
            return;
        }

        var (fault, why) = (Marshal.GetLastPInvokeError(), $"{from} cannot be renamed to {to}: {Marshal.GetLastPInvokeErrorMessage()}");
        throw fault is NotPermitted or AccessDenied ? new UnauthorizedAccessException(why) : new IOException(why, fault);
    }

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(string from, string to);
}
