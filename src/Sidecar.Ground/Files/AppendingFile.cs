using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Adds to a file that others add to at the same time. The framework's own way seeks to the end first, and would write over what came in between.</summary>
public static partial class AppendingFile
{
    private const int WriteOnly = 1, AtEnd = 0x400, NonBlocking = 0x800, CloseOnExec = 0x80000; // O_WRONLY, O_APPEND, O_NONBLOCK, O_CLOEXEC

    /// <exception cref="IOException">There is no such file, or it cannot be written.</exception>
    public static void Append(string path, ReadOnlySpan<byte> bytes)
    {
        using var file = new SafeFileHandle(Open(path, WriteOnly | AtEnd | NonBlocking | CloseOnExec), ownsHandle: true);
        if (file.IsInvalid)
        {
            throw new IOException($"cannot add to {path}: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        RandomAccess.Write(file, bytes, 0); // The kernel ignores the place of a file that is opened to add to.
        RandomAccess.FlushToDisk(file);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);
}
