using System.Globalization;
using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Processes;

/// <summary>Signals to whole process groups, so that no helper of an agent is left behind.</summary>
public static partial class Signals
{
    public const int Terminate = 15, Kill = 9, Continue = 18, Stop = 19;

    /// <summary>Sends a signal to every process of a group; false where the group has no member left.</summary>
    public static bool ToGroup(int group, int signal) => group > 1 && Send(-group, signal) == 0;

    /// <summary>Sends a signal to one process; false where it is gone.</summary>
    public static bool ToProcess(int pid, int signal) => pid > 1 && Send(pid, signal) == 0;

    /// <summary>Whether a process has been killed and only the kernel keeps it, in the middle of a call (a file system that does not
    /// answer): its own code does not run again.</summary>
    public static bool IsKilled(int pid)
    {
        try
        {
            // SigPnd and ShdPnd of proc(5): a set of signals in hexadecimal digits.
            return File.ReadLines($"/proc/{pid}/status").Any(line => line.Split(':') is ["SigPnd" or "ShdPnd", var set]
                && ulong.TryParse(set.Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var pending) && (pending & (1UL << (Kill - 1))) != 0);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether a living process is another user's, whom we may not signal: what it was started by (<c>sudo</c>, a set-id program) had the right to.</summary>
    public static bool IsOthers(int pid) => pid > 1 && Send(pid, 0) != 0 && Marshal.GetLastPInvokeError() == NotPermitted;

    private const int NotPermitted = 1; // EPERM

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Send(int pid, int signal);
}
