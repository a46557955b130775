using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Makes renames and new names in a directory survive a power cut; the framework has no call for it.</summary>
public static partial class DirectorySync
{
    private const int ReadOnlyDirectory = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC on x86-64

    /// <summary>Best effort: a file system that cannot do it is not a reason to stop.</summary>
    public static void Flush(string directory) => Flush(directory, Fsync);

    /// <summary>The same for everything on the file system that a directory lies on: after many files at once.</summary>
    public static void FlushFileSystem(string directory) => Flush(directory, Syncfs);

    private static void Flush(string directory, Func<int, int> flush)
    {
        var flags = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 | 0x80000 : ReadOnlyDirectory;
        var handle = Open(directory, flags);
        if (handle < 0)
        {
            return;
        }

        _ = flush(handle);
        _ = Close(handle);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int handle);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int Syncfs(int handle);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
