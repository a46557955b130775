using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Finds a process by the nonce in its environment: the last resort when neither disk nor database knows what was started.</summary>
internal static class ProcessScan
{
    /// <summary>The oldest live process that carries the nonce, or null.</summary>
    public static ProcessIdentity? ByNonce(string nonce) => AllByNonce(nonce).FirstOrDefault();

    /// <summary>Every live process that carries the nonce, oldest first.</summary>
    public static List<ProcessIdentity> AllByNonce(string nonce) => Carrying($"FLEET_NONCE={nonce}\0");

    /// <summary>Every live process of any run below a directory: agents whose runs nobody remembers.</summary>
    public static List<ProcessIdentity> AllBelow(string runsDirectory) => Carrying($"FLEET_RUN_DIR={runsDirectory}/run_");

    /// <summary>True for a recorder, false for an agent or a helper of one: those do not inherit the mark.</summary>
    public static bool IsRecorder(ProcessIdentity process) =>
        Carries(process.Pid.ToString(CultureInfo.InvariantCulture), Encoding.UTF8.GetBytes($"{Recorder.Mark}="));

    /// <summary>The nonce that a process carries, or null.</summary>
    public static string? NonceOf(ProcessIdentity process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Pid}/environ").Split('\0')
                .FirstOrDefault(variable => variable.StartsWith("FLEET_NONCE=", StringComparison.Ordinal))?["FLEET_NONCE=".Length..];
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Every live process that was started with this text in its environment, oldest first.</summary>
    public static List<ProcessIdentity> Carrying(string variable)
    {
        var wanted = Encoding.UTF8.GetBytes(variable);
        return [.. Directory.EnumerateDirectories("/proc")
            .Select(Path.GetFileName)
            .Where(name => char.IsAsciiDigit(name![0]) && Carries(name, wanted))
            .Select(name => ProcessIdentity.Of(int.Parse(name!, CultureInfo.InvariantCulture)))
            .OfType<ProcessIdentity>()
            .OrderBy(process => process.StartTicks).ThenBy(process => process.Pid)];
    }

    /// <summary>True where a process was started with a text in its environment.</summary>
    public static bool Carries(string pid, byte[] wanted)
    {
        try
        {
            return File.ReadAllBytes($"/proc/{pid}/environ").AsSpan().IndexOf(wanted) >= 0;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false; // Ended meanwhile, or somebody else's; ours are readable.
        }
    }
}
