using System.Globalization;

namespace FleetSidecar.Ground.Processes;

/// <summary>Which processes work in a directory, as far as this user may see them.</summary>
public static class WorkingDirectories
{
    /// <summary>Processes whose working directory is this one or lies below it.</summary>
    public static IReadOnlyList<ProcessIdentity> ProcessesIn(string directory)
    {
        var found = new List<ProcessIdentity>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && IsIn(entry, directory) && ProcessIdentity.Of(pid) is { } process)
            {
                found.Add(process);
            }
        }

        return found;
    }

    private static bool IsIn(string entry, string directory)
    {
        try
        {
            return new FileInfo($"{entry}/cwd").LinkTarget is { } target
                && (target == directory || target.StartsWith(directory + "/", StringComparison.Ordinal));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
