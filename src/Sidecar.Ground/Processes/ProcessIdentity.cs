using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>Names one process for ever: a pid is used again, a pid with its start time in one boot is not.</summary>
public sealed record ProcessIdentity(int Pid, long StartTicks, string BootId)
{
    private const int StartTimeField = 22; // proc(5): field 22 of /proc/PID/stat, in clock ticks since boot

    public static string CurrentBootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>The identity of a live process, or null where there is none (a zombie counts as gone).</summary>
    public static ProcessIdentity? Of(int pid)
    {
        try
        {
            return FromStat(File.ReadAllText($"/proc/{pid}/stat"), CurrentBootId);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads a line of <c>/proc/PID/stat</c>; null where it is cut or describes a zombie.</summary>
    public static ProcessIdentity? FromStat(string stat, string bootId)
    {
        // The name in brackets may hold spaces and brackets itself, so fields are counted from the last one.
        var end = stat.LastIndexOf(')');
        var open = stat.IndexOf(' ', StringComparison.Ordinal);
        if (end < 0 || open < 0 || !int.TryParse(stat.AsSpan(0, open), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
        {
            return null;
        }

        var fields = stat[(end + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var index = StartTimeField - 3;
        return fields.Length > index
            && fields[0] is not ("Z" or "X")
            && long.TryParse(fields[index], NumberStyles.None, CultureInfo.InvariantCulture, out var start)
                ? new ProcessIdentity(pid, start, bootId) : null;
    }

    public bool IsAlive() => BootId == CurrentBootId && Of(Pid) is { } now && now.StartTicks == StartTicks;
}
