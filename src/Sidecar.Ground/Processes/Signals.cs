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

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Send(int pid, int signal);
}
