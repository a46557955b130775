using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>Ends a process with everything that it started and that is still below it.</summary>
/// <remarks>The framework's own way lists all processes once for each child, so thousands of children keep a processor for an hour. Here all
/// are stopped before any is killed: none starts another meanwhile, and none is given to another parent.</remarks>
internal static class ProcessTree
{
    private const int MostLooks = 20, ParentField = 4 - 3; // proc(5): field 4 of /proc/PID/stat, counted from the state.

    public static void Kill(ProcessIdentity root)
    {
        var stopped = new HashSet<ProcessIdentity> { root };
        Signals.ToProcess(root.Pid, Signals.Stop);
        try
        {
            for (var look = 0; look < MostLooks; look++)
            {
                var found = Below(root).Where(stopped.Add).ToList();
                if (found.Count == 0)
                {
                    break;
                }

                found.ForEach(process => Signals.ToProcess(process.Pid, Signals.Stop));
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The list of processes cannot be read, without descriptors for example: those that were found are killed all the same.
        }

        foreach (var process in stopped.Where(process => process.IsAlive()))
        {
            Signals.ToProcess(process.Pid, Signals.Kill);
        }
    }

    // The root as well, where it lives: what it started has another parent by then.
    private static List<ProcessIdentity> Below(ProcessIdentity root)
    {
        if (!root.IsAlive())
        {
            return [];
        }

        var children = new Dictionary<int, List<ProcessIdentity>>();
        foreach (var directory in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(path["/proc/".Length])))
        {
            if (Read(directory) is { } one)
            {
                if (!children.TryGetValue(one.Parent, out var siblings))
                {
                    children[one.Parent] = siblings = [];
                }

                siblings.Add(one.Process);
            }
        }

        var all = new List<ProcessIdentity> { root };
        for (var at = 0; at < all.Count; at++)
        {
            all.AddRange(children.GetValueOrDefault(all[at].Pid) ?? []);
        }

        return all;
    }

    private static (int Parent, ProcessIdentity Process)? Read(string directory)
    {
        try
        {
            var stat = File.ReadAllText($"{directory}/stat");
            return ProcessIdentity.FromStat(stat, ProcessIdentity.CurrentBootId) is { } process
                && int.TryParse(stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[ParentField], NumberStyles.None, CultureInfo.InvariantCulture, out var parent)
                    ? (parent, process) : null;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null; // It has ended.
        }
    }
}
