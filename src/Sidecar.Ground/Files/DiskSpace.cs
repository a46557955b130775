using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>What is left on a file system for somebody who is not root.</summary>
/// <param name="Bytes">Free bytes.</param>
/// <param name="Inodes">Free inodes; null where the file system does not count them.</param>
public readonly partial record struct DiskSpace(long Bytes, long? Inodes)
{
    /// <exception cref="IOException">The path cannot be asked about.</exception>
    public static DiskSpace At(string path) => Ask(path, out var answer) == 0
        ? new DiskSpace((long)(answer.Available * answer.FragmentSize), answer.Files == 0 ? null : (long)answer.FilesAvailable)
        : throw new IOException($"statvfs {path}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "statvfs", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Ask(string path, out Answer answer);

    // struct statvfs of a 64-bit Linux: eleven longs and some room.
    [StructLayout(LayoutKind.Sequential, Size = 256)]
    private readonly struct Answer
    {
        public readonly ulong BlockSize, FragmentSize, Blocks, Free, Available, Files, FilesFree, FilesAvailable;
    }
}
