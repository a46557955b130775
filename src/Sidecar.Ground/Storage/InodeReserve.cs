using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>Empty files that only take up inodes. When somebody else has used up the rest they are given up: a commit needs none, a rescue, a socket and the next run need a few.</summary>
/// <param name="directory">Their place, on the store's file system.</param>
internal sealed class InodeReserve(string directory)
{
    /// <summary>How many: a rescue writes one pack, one file for each directory of the work, and a few of its own.</summary>
    public const int Count = 256;

    // The mark for held agents, the log and its index, the store's mark, the book of starts, two sockets.
    private const int ForStart = 16, Few = 16;

    /// <summary>Whether hardly a file more fits. A file system that does not count has room.</summary>
    public static bool IsUsedUp(DiskSpace space) => space.Inodes < Few;

    /// <summary>Makes what is missing, where twice <paramref name="floor"/> stays free beside it; above the floor those that a start needs.</summary>
    /// <exception cref="IOException">They cannot be made.</exception>
    public void MakeIfThereIsRoom(DiskSpace space, long floor)
    {
        if (space.Inodes is { } free && free > floor)
        {
            Make(free - Count >= 2 * floor ? Count : ForStart);
        }
    }

    /// <summary>Makes what is missing, or as many as there is room for, while nobody else takes it.</summary>
    /// <exception cref="IOException">Not all of them can be made; the others were.</exception>
    public void MakeAgain() => Make(Count);

    /// <summary>Puts one of them in another place, which needs no inode.</summary>
    /// <returns>False where none is left.</returns>
    /// <exception cref="IOException">It cannot be moved.</exception>
    public bool TryPut(string path)
    {
        if (Files().FirstOrDefault() is not { } file)
        {
            return false;
        }

        FileRename.Over(file, path);
        return true;
    }

    /// <summary>Takes a file back that <see cref="TryPut"/> has put there, or removes it where there is no place for it.</summary>
    /// <exception cref="IOException">It cannot be moved.</exception>
    public void TakeBack(string path)
    {
        if (!IsThere)
        {
            File.Delete(path);
        }
        else if (File.Exists(path))
        {
            FileRename.Over(path, Path.Combine(directory, "0"));
        }
    }

    /// <summary>Removes them.</summary>
    /// <returns>Whether there were any.</returns>
    /// <exception cref="IOException">They cannot be removed.</exception>
    public bool GiveUp()
    {
        var files = Files().ToList();
        files.ForEach(File.Delete);
        return files.Count > 0;
    }

    // A link there leads to somebody else's files.
    private bool IsThere => PathFacts.Of(directory) is { Kind: PathKind.Directory };

    private IEnumerable<string> Files() => IsThere ? Directory.EnumerateFiles(directory) : [];

    private void Make(int count)
    {
        PrivateDirectory.Make(directory);
        if (Files().Take(count).Count() == count)
        {
            return;
        }

        for (var number = 0; number < count; number++)
        {
            var file = Path.Combine(directory, $"{number}");
            if (PathFacts.Of(file) is null)
            {
                NewFile.Write(file, []);
            }
        }
    }
}
