using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>What the kernel's control groups say of a process: which unit it belongs to, and who else is in there.</summary>
/// <remarks>Readable for everybody, also for processes of other users, unlike their environment.</remarks>
public static class ControlGroup
{
    /// <summary>The systemd unit that a process is in, for example <c>fleet-agent@run_0a1b2c3d4e5f.service</c>; null where there is none.</summary>
    public static string? UnitOf(int pid) => PathOf(pid)?.Path is { } path ? UnitIn(path, ManagerRoot.Value) : null;

    /// <summary>The service or scope of a control group's path, as systemd itself reads one: below the manager's own group come slices,
    /// then the unit. What is below that was made by the unit: a user's own manager may give its services any name.</summary>
    /// <param name="path">The path.</param>
    /// <param name="root">The manager's own group: not empty in a container that sees the groups outside.</param>
    public static string? UnitIn(string path, string root = "")
    {
        var inside = path.StartsWith($"{root}/", StringComparison.Ordinal) ? path[root.Length..] : path;
        return inside.Split('/', StringSplitOptions.RemoveEmptyEntries).SkipWhile(part => part.EndsWith(".slice", StringComparison.Ordinal)).FirstOrDefault() is { } unit
            && (unit.EndsWith(".service", StringComparison.Ordinal) || unit.EndsWith(".scope", StringComparison.Ordinal)) ? unit : null;
    }

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

    // The manager is the first process, in a scope of its own at the top.
    private static readonly Lazy<string> ManagerRoot = new(() => LinesOf(1)
        .Select(line => line.Split(':', 3)[^1]).FirstOrDefault(path => path.EndsWith(ManagerScope, StringComparison.Ordinal)) is { } path ? path[..^ManagerScope.Length] : "");

    private const string ManagerScope = "/init.scope";

    // The hierarchy that systemd keeps its units in: the only one, or beside the old ones "unified" or "systemd".
    private static (string Root, string Path)? PathOf(int pid)
    {
        foreach (var line in LinesOf(pid))
        {
            if (line.Split(':', 3) is ["0", "", var unified] && UnitIn(unified, ManagerRoot.Value) is not null)
            {
                return (Directory.Exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup", unified);
            }

            if (line.Split(':', 3) is [_, "name=systemd", var path])
            {
                return ("/sys/fs/cgroup/systemd", path);
            }
        }

        return null;
    }

    private static string[] LinesOf(int pid)
    {
        try
        {
            return File.ReadAllLines($"/proc/{pid}/cgroup");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
