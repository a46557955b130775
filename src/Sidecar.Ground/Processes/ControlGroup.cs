using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>What the kernel's control groups say of a process: which unit it belongs to, and who else is in there.</summary>
/// <remarks>Readable for everybody, also for processes of other users, unlike their environment.</remarks>
public static class ControlGroup
{
    /// <summary>The systemd unit that a process is in, for example <c>fleet-agent@run_0a1b2c3d4e5f.service</c>; null where there is none.</summary>
    public static string? UnitOf(int pid) => PathOf(pid)?.Path is { } path ? UnitIn(path) : null;

    /// <summary>The last service or scope of a control group's path: what is below it is the unit's own business.</summary>
    public static string? UnitIn(string path) =>
        path.Split('/').LastOrDefault(part => part.EndsWith(".service", StringComparison.Ordinal) || part.EndsWith(".scope", StringComparison.Ordinal));

    /// <summary>Every live process in the control group of a process; empty where that one is gone.</summary>
    public static List<ProcessIdentity> MembersOf(ProcessIdentity process)
    {
        try
        {
            return process.IsAlive() && PathOf(process.Pid) is var (root, path)
                ? [.. File.ReadLines($"{root}{path}/cgroup.procs").Select(line => ProcessIdentity.Of(int.Parse(line, CultureInfo.InvariantCulture))).OfType<ProcessIdentity>().OrderBy(member => member.StartTicks)]
                : [];
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // The hierarchy that systemd keeps its units in: the only one, or beside the old ones "unified" or "systemd".
    private static (string Root, string Path)? PathOf(int pid)
    {
        try
        {
            foreach (var line in File.ReadLines($"/proc/{pid}/cgroup"))
            {
                if (line.Split(':', 3) is ["0", "", var unified] && UnitIn(unified) is not null)
                {
                    return (Directory.Exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup", unified);
                }

                if (line.Split(':', 3) is [_, "name=systemd", var path])
                {
                    return ("/sys/fs/cgroup/systemd", path);
                }
            }
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
        }

        return null;
    }
}
