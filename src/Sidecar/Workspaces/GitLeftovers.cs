using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>
/// Half-written objects of a git that was killed, by a time limit or by a crash: git itself removes them only in a
/// clean-up that the sidecar never asks for, so each killed git would leave the disk fuller.
/// </summary>
internal static class GitLeftovers
{
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    /// <summary>Whether a file among the objects is one; its name relative to the repository.</summary>
    public static bool Is(string name) => name.StartsWith("objects/", StringComparison.Ordinal) && Path.GetFileName(name.AsSpan()).StartsWith("tmp_", StringComparison.Ordinal);

    /// <summary>Removes them. No git may be at work there.</summary>
    /// <param name="repository">The <c>.git</c> directory, whose parts are no links; one that is missing has none.</param>
    public static void Remove(string repository)
    {
        var objects = Path.Combine(repository, "objects");
        if (PathFacts.Of(objects) is not { Kind: PathKind.Directory })
        {
            return;
        }

        try
        {
            foreach (var directory in Directory.EnumerateDirectories(objects, "*", All).Prepend(objects).Where(path => PathFacts.Of(path)?.Kind == PathKind.Directory).ToList())
            {
                foreach (var file in Directory.EnumerateFiles(directory, "tmp_*", All).Where(path => PathFacts.Of(path)?.Kind == PathKind.File).ToList())
                {
                    Delete(file);
                }
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The next look finds the same.
        }
    }

    // What cannot be removed takes up room and stands in nobody's way.
    private static void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }
}
