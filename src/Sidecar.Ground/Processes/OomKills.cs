using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>How many processes of our control group the kernel has killed for their use of memory.</summary>
/// <remarks>A process killed so ends by signal 9 like any other, and in hybrid hierarchies systemd says <c>signal</c> too; this
/// counter is the one thing that tells them apart. Version 2 keeps it in <c>memory.events</c>, version 1 in <c>memory.oom_control</c>.</remarks>
public static class OomKills
{
    private static readonly string[] Files = [.. Candidates().Where(File.Exists)];

    /// <summary>The count so far, or null where this machine does not tell.</summary>
    public static long? Count()
    {
        foreach (var file in Files)
        {
            try
            {
                if (File.ReadLines(file).FirstOrDefault(line => line.StartsWith("oom_kill ", StringComparison.Ordinal)) is { } found)
                {
                    return long.Parse(found["oom_kill ".Length..], CultureInfo.InvariantCulture);
                }
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or FormatException)
            {
            }
        }

        return null;
    }

    private static IEnumerable<string> Candidates()
    {
        string[] lines = File.Exists("/proc/self/cgroup") ? File.ReadAllLines("/proc/self/cgroup") : [];
        foreach (var line in lines)
        {
            var parts = line.Split(':', 3); // hierarchy, controllers, path
            if (parts is ["0", "", var unified])
            {
                yield return $"/sys/fs/cgroup{unified}/memory.events";
            }
            else if (parts is [_, var controllers, var path] && controllers.Split(',').Contains("memory"))
            {
                yield return $"/sys/fs/cgroup/memory{path}/memory.oom_control";
                yield return "/sys/fs/cgroup/memory/memory.oom_control"; // Inside a container the path is the host's.
            }
        }
    }
}
