using System.ComponentModel;
using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>The largest file that this process, and what it starts, may write. For a process that has one task.</summary>
public static partial class FileSizeLimit
{
    private const int FileSize = 1, IgnoreAction = 1, TooLarge = 25; // RLIMIT_FSIZE, SIG_IGN, SIGXFSZ

    /// <summary>A write beyond this many bytes of a file fails from now on, as on a full disk.</summary>
    /// <exception cref="Win32Exception">The kernel refuses.</exception>
    public static void Set(long bytes)
    {
        Signal(TooLarge, IgnoreAction); // Else the write ends the process.
        if (GetLimit(FileSize, out var limit) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        var least = Math.Min((nuint)bytes, limit.Most); // The service manager may have set a lower one, which nothing raises.
        limit = new Limit { Current = least, Most = least };
        if (SetLimit(FileSize, in limit) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    private struct Limit
    {
        public nuint Current;
        public nuint Most;
    }

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint Signal(int signal, nint action);

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int what, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int what, in Limit limit);
}
