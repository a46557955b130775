using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>A file beside the store that only takes up room, and files that only take up inodes. When somebody else has filled the disk they are given up, so that outcomes can still be stored and work be saved.</summary>
/// <param name="path">The file's place, on the store's file system.</param>
public sealed class StoreReserve(string path)
{
    /// <summary>What it takes up where there is room: 16 MiB, many thousand commits.</summary>
    public const int Bytes = 16 * 1024 * 1024;

    // It takes little of what is left above the floor, but never nothing: a machine that takes work has to survive its agents' filling the disk.
    private const int Piece = 1024 * 1024, Least = Piece, Share = 4;

    private readonly InodeReserve _inodes = new($"{path}.inodes");

    /// <summary>The sidecar itself waits for room to end a run, and no code of an agent does.</summary>
    public bool IsWanted
    {
        get => Volatile.Read(ref _isWanted);
        set => Volatile.Write(ref _isWanted, value);
    }

    private bool _isWanted;

    /// <summary>Makes it where it is missing and the disk is above its floor: a quarter of what is above, at least 1 MiB. A fault is no fault: it is tried again.</summary>
    /// <param name="floorBytes">Free bytes below which no work is taken.</param>
    /// <param name="floorInodes">Free inodes below which no work is taken.</param>
    /// <returns>How many bytes it takes up; 0 where there was no room.</returns>
    public long MakeIfThereIsRoom(long floorBytes, long floorInodes)
    {
        try
        {
            var space = DiskSpace.At(Path.GetDirectoryName(path)!);
            TryInodes(() => _inodes.MakeIfThereIsRoom(space, floorInodes));
            return space.Bytes <= floorBytes ? 0 : Make(Math.Clamp((space.Bytes - floorBytes) / Share / Piece * Piece, Least, Bytes));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>Whether nothing more than a few pages, or a few files, fit on its file system.</summary>
    public bool IsDiskFull => IsFullAt(Path.GetDirectoryName(path)!);

    /// <summary>The same for any directory; one that cannot be asked is not full.</summary>
    public static bool IsFullAt(string directory)
    {
        try
        {
            return DiskSpace.At(directory) is var space && (space.Bytes < Piece || InodeReserve.IsUsedUp(space));
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Frees what is used up: bytes, inodes or both. True where that gave room.</summary>
    /// <param name="inodesToo">False while agents work: they would take them, and a commit needs none.</param>
    public bool GiveUpIfFull(bool inodesToo)
    {
        try
        {
            var space = DiskSpace.At(Path.GetDirectoryName(path)!);
            var gave = inodesToo && InodeReserve.IsUsedUp(space) && _inodes.GiveUp();
            return (space.Bytes < Piece && PathFacts.Of(path) is { Kind: PathKind.File, Length: > 0 } && GiveUp()) || gave;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Makes an empty file, also where the disk has neither a block nor an inode left.</summary>
    /// <returns>Whether it is there.</returns>
    public bool TryMark(string file)
    {
        try
        {
            if (!_inodes.TryPut(file))
            {
                NewFile.Write(file, []);
            }

            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Takes a mark away. Its inode stays ours.</summary>
    /// <exception cref="IOException">It cannot be taken away.</exception>
    public void TakeMarkBack(string file) => _inodes.TakeBack(file);

    /// <summary>Takes back what a start has left of it, bytes and inodes, before agents that were held still can: for the rescue, and for the next start.</summary>
    public void TakeBack()
    {
        TryInodes(_inodes.MakeAgain);
        for (var bytes = (long)Bytes; bytes >= Least && Make(bytes) == 0; bytes /= 2)
        {
            // As much as there is.
        }
    }

    private static void TryInodes(Action make)
    {
        try
        {
            make();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // As many as there are.
        }
    }

    private long Make(long bytes)
    {
        // One that is there stays, unless there is room for the whole now.
        if (PathFacts.Of(path) is { Kind: PathKind.File, Length: >= Least } there && (there.Length >= bytes || bytes < Bytes))
        {
            return there.Length;
        }

        try
        {
            ClearPlace.ForFile(path);
            File.Delete(path);
            var piece = new byte[Piece];
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            for (var written = 0L; written < bytes; written += Piece)
            {
                file.Write(piece); // Written and not only claimed: not every file system keeps its word about a claim.
            }

            return bytes;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            GiveUp();
            return 0;
        }
    }

    private bool GiveUp()
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
