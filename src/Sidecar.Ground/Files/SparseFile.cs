using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Holes in files: a range in a hole takes no room on the disk and is read as zeros.</summary>
/// <remarks>See fallocate(2) and lseek(2). ext4, xfs, btrfs and tmpfs know both calls; a file system without them has no
/// holes, and every file there is one range of data.</remarks>
public static partial class SparseFile
{
    /// <summary>Holes begin and end at multiples of this: no file system has larger blocks.</summary>
    public const long Alignment = 64 * 1024;

    private const int KeepSize = 1, PunchHole = 2; // FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
    private const int SeekData = 3, SeekHole = 4;
    private const int NoSuchAddress = 6; // ENXIO: nothing but a hole up to the end.

    /// <summary>Gives the room of a range back to the disk; every other byte, and the length, stay. False where the file system cannot.</summary>
    public static bool Punch(SafeFileHandle file, long from, long length) =>
        Allocate((int)file.DangerousGetHandle(), PunchHole | KeepSize, from, length) == 0;

    /// <summary>The first place from here on that lies in a hole; the file's length where there is none.</summary>
    public static long NextHole(SafeFileHandle file, long from)
    {
        var found = Seek((int)file.DangerousGetHandle(), from, SeekHole);
        return found >= 0 ? found : RandomAccess.GetLength(file);
    }

    /// <summary>The first place from here on that lies in no hole; the file's length where there is none.</summary>
    public static long NextData(SafeFileHandle file, long from)
    {
        var found = Seek((int)file.DangerousGetHandle(), from, SeekData);
        if (found >= 0)
        {
            return found;
        }

        return Marshal.GetLastPInvokeError() == NoSuchAddress ? RandomAccess.GetLength(file) : from;
    }

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(int file, int mode, long from, long length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(int file, long from, int whence);
}
