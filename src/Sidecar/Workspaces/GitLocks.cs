using System.IO.Enumeration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>Lock files that a killed git left in a repository: no git works there until they are gone.</summary>
internal static class GitLocks
{
    // Deeper than the names of branches are.
    private static readonly EnumerationOptions All = new() { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = true, MaxRecursionDepth = 64 };

    /// <summary>Removes them, and goes through no link: what one leads to is not the repository. No git may be at work there.</summary>
    /// <exception cref="IOException">One stays. One that may not be seen stays too, and git names it.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public static void Remove(string repository)
    {
        var locks = new FileSystemEnumerable<string>(repository, (ref FileSystemEntry entry) => entry.ToFullPath(), All)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => (!entry.IsDirectory || IsLink(ref entry)) && entry.FileName.EndsWith(".lock", StringComparison.Ordinal),
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !IsLink(ref entry),
        };
        foreach (var stale in locks.ToList())
        {
            File.Delete(stale);
        }
    }

    /// <summary>The same in a part of a repository that may not be there, or may be no directory; what cannot be removed stays.</summary>
    public static void RemoveWhereSeen(string repository, params ReadOnlySpan<string> names)
    {
        using var part = InsideDirectory.Open(repository, names);
        try
        {
            if (part is not null)
            {
                Remove(part["."]);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Git names it.
        }
    }

    private static bool IsLink(ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) != 0;
}
