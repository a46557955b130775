using System.Runtime.InteropServices;
using System.Text;

namespace FleetSidecar.Ground.Files;

/// <summary>Where a path really leads, every symbolic link on the way followed; see realpath(3).</summary>
public static partial class RealPath
{
    private const int LongestPath = 4096;

    /// <summary>The path without links, or null where it does not exist or cannot be followed.</summary>
    public static string? Of(string path)
    {
        var found = new byte[LongestPath];
        return path.Contains('\0', StringComparison.Ordinal) || Resolve(path, found) == 0 ? null : Encoding.UTF8.GetString(found.AsSpan(0, found.AsSpan().IndexOf((byte)0)));
    }

    /// <summary>True where a path exists and leads to something inside a directory, or to the directory itself.</summary>
    public static bool IsInside(string path, string directory) =>
        Of(directory) is { } root && Of(path) is { } real && (real == root || real.StartsWith(root + "/", StringComparison.Ordinal));

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint Resolve(string path, byte[] found);
}
