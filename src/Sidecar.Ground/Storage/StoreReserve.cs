using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>A file beside the store that only takes up room. When somebody else has filled the disk it is given up, so that outcomes can still be stored.</summary>
/// <param name="path">Its place, on the store's file system.</param>
public sealed class StoreReserve(string path)
{
    /// <summary>What it takes up: 16 MiB, many thousand commits.</summary>
    public const int Bytes = 16 * 1024 * 1024;

    private const int Piece = 1024 * 1024;

    /// <summary>Makes it where it is missing and twice <paramref name="floor"/> stays free beside it, so that it brings no disk to its floor. A fault is no fault: it is tried again.</summary>
    /// <returns>Whether there was room.</returns>
    public bool MakeIfThereIsRoom(long floor)
    {
        try
        {
            if (DiskSpace.At(Path.GetDirectoryName(path)!).Bytes - Bytes < 2 * floor)
            {
                return false;
            }

            if (PathFacts.Of(path) is { Kind: PathKind.File, Length: Bytes })
            {
                return true;
            }

            ClearPlace.ForFile(path);
            File.Delete(path);
            var piece = new byte[Piece];
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            for (var written = 0; written < Bytes; written += Piece)
            {
                file.Write(piece); // Written and not only claimed: not every file system keeps its word about a claim.
            }

            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            GiveUp();
            return false;
        }
    }

    /// <summary>Whether nothing more than a few pages fit on its file system.</summary>
    public bool IsDiskFull => IsFullAt(Path.GetDirectoryName(path)!);

    /// <summary>The same for any directory; one that cannot be asked is not full.</summary>
    public static bool IsFullAt(string directory)
    {
        try
        {
            return DiskSpace.At(directory).Bytes < Piece;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Frees what it takes up, where the disk is full. True where that gave room.</summary>
    public bool GiveUpIfFull()
    {
        try
        {
            return IsDiskFull && PathFacts.Of(path) is { Kind: PathKind.File, Length: > 0 } && GiveUp();
        }
        catch (IOException)
        {
            return false;
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
