using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>
/// What git never makes in a mirror: pipes, links, directories in the place of files, files of an impossible size, and
/// files by which git would look elsewhere. An agent of the daemon's own user can put them there; git would wait at a
/// pipe and take as much memory as a file is long, in every run of the repository.
/// </summary>
internal static class MirrorFiles
{
    private const long Largest = 16 << 20, LargestRefs = 256 << 20;

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    // Those of git's templates and logs are harmless, and earlier versions may have made them.
    private static readonly string[] Directories = ["objects", "refs", "info", "hooks", "branches", "logs"];

    // Git reads them where they are. The sidecar has it make none, but the service user's configuration may: the mirror is
    // whole without them.
    private static readonly string[] Foreign =
        ["commondir", "objects/pack/multi-pack-index", "objects/info/commit-graph", "objects/info/commit-graphs"];

    /// <summary>Removes them. None holds a byte of the repository that only it has.</summary>
    /// <param name="mirror">The mirror's directory.</param>
    /// <param name="isOurTurn">No git of ours works there now: locks and half-written objects are leftovers too.</param>
    /// <returns>
    /// Whether something stood in the place of what git needs, also where it could not be removed: the mirror then counts
    /// as damaged. Locks and what git can do without are removed and count for nothing.
    /// </returns>
    public static bool Clear(string mirror, bool isOurTurn)
    {
        var found = false;
        var left = new Stack<string>([""]);
        while (left.TryPop(out var above))
        {
            foreach (var path in Entries(Path.Combine(mirror, above)))
            {
                var name = Path.Combine(above, Path.GetFileName(path));
                if (PathFacts.Of(path) is not { } facts)
                {
                    continue;
                }

                if (Foreign.Contains(name) || (isOurTurn && (name.EndsWith(".lock", StringComparison.Ordinal) || (facts.Kind == PathKind.File && GitLeftovers.Is(name)))))
                {
                    Remove(path, facts.Kind);
                }
                else if (IsTrap(name, facts))
                {
                    Remove(path, facts.Kind);
                    found = true;
                }
                else if (facts.Kind == PathKind.Directory)
                {
                    left.Push(name);
                }
            }
        }

        return found;
    }

    // Git may remove a directory meanwhile.
    private static string[] Entries(string directory)
    {
        try
        {
            return Directory.GetFileSystemEntries(directory, "*", All);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static bool IsTrap(string name, PathFacts facts)
    {
        var parts = name.Split('/');
        return facts.Kind switch
        {
            PathKind.File => facts.Length > LargestOf(parts),
            PathKind.Directory => !IsDirectory(parts),
            _ => true,
        };
    }

    // Packs and objects may be of any size: git maps them, and proves them by their contents.
    private static long LargestOf(string[] parts) => parts switch
    {
        ["objects", "pack" or { Length: 2 }, ..] => long.MaxValue,
        [var name] when name.StartsWith("packed-refs", StringComparison.Ordinal) => LargestRefs,
        _ => Largest,
    };

    private static bool IsDirectory(string[] parts) => parts switch
    {
        [var top] => Directories.Contains(top),
        ["refs" or "logs" or "hooks", ..] => true,
        ["objects", var name] => name.Length == 2 || name is "pack" or "info" || name.StartsWith("tmp_objdir", StringComparison.Ordinal),
        ["objects", var name, ..] => name.StartsWith("tmp_objdir", StringComparison.Ordinal),
        _ => false,
    };

    private static void Remove(string path, PathKind kind)
    {
        try
        {
            if (kind == PathKind.Directory)
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A fresh copy takes the mirror's place; what git does with this one ends with its time limit.
        }
    }
}
