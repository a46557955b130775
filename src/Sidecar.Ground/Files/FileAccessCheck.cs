using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Asks the kernel what this user may do with a file, which mode bits alone do not say (mounts with noexec, access lists).</summary>
public static partial class FileAccessCheck
{
    private const int Execute = 1, Write = 2;

    /// <summary>True for a regular file that may be executed.</summary>
    public static bool MayExecute(string path) => File.Exists(path) && Access(path, Execute) == 0;

    /// <summary>True for a directory that may be entered.</summary>
    public static bool MayEnter(string directory) => Directory.Exists(directory) && Access(directory, Execute) == 0;

    /// <summary>True for a file or directory that may be written.</summary>
    public static bool MayWrite(string path) => Access(path, Write) == 0;

    /// <summary>Why this user may make no file in a directory, or null where that is possible. Nothing is made there for a try.</summary>
    public static string? Obstacle(string directory) => Access(directory, Write | Execute) == 0 ? null : Marshal.GetLastPInvokeErrorMessage();

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Access(string path, int mode);
}
