using System.Text;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Finds a process by the nonce in its environment: the last resort when neither disk nor database knows what was started.</summary>
internal static class ProcessScan
{
    private const string Nonce = "FLEET_NONCE";

    /// <summary>The oldest live process that carries the nonce, or null.</summary>
    public static ProcessIdentity? ByNonce(string nonce) => AllByNonce(nonce).FirstOrDefault();

    /// <summary>Every live process that carries the nonce, oldest first.</summary>
    public static List<ProcessIdentity> AllByNonce(string nonce) => ProcessEnvironments.Carrying($"{Nonce}={nonce}\0");

    /// <summary>Every live process of any run below a directory: agents whose runs nobody remembers.</summary>
    public static List<ProcessIdentity> AllBelow(string runsDirectory) => ProcessEnvironments.Carrying($"FLEET_RUN_DIR={runsDirectory}/run_");

    /// <summary>True for a recorder, false for an agent or a helper of one: those do not inherit the mark.</summary>
    public static bool IsRecorder(ProcessIdentity process) => ProcessEnvironments.Carries(process.Pid, Encoding.UTF8.GetBytes($"{Recorder.Mark}="));

    /// <summary>The nonce that a process carries, or null.</summary>
    public static string? NonceOf(ProcessIdentity process) => ProcessEnvironments.Value(process.Pid, Nonce);
}
