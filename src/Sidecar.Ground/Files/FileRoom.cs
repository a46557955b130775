using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Room on the disk that belongs to a file before the file needs it, so that it can grow where somebody else has filled the disk. See fallocate(2).</summary>
/// <remarks>Length and content stay as they are. A file system that copies on write, or knows no claims, keeps no such promise.</remarks>
public static partial class FileRoom
{
    private const int KeepLength = 1; // FALLOC_FL_KEEP_SIZE
    private const int Piece = 64 * 1024;

    /// <summary>Claims the first bytes of a file; true where it has them.</summary>
    public static bool Claim(SafeFileHandle file, long bytes) => Allocate(file, KeepLength, 0, bytes) == 0;

    /// <summary>Takes them by writing zeros behind the end, for a file whose owner passes over them, on a file system that knows no claims.</summary>
    public static bool Fill(SafeFileHandle file, long bytes)
    {
        var zeros = new byte[Piece];
        try
        {
            for (var length = RandomAccess.GetLength(file); length < bytes; length += Piece)
            {
                RandomAccess.Write(file, zeros, length);
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);
}
