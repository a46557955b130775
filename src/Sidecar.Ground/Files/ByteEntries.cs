using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>What lies in a directory by the names that the kernel has for it: bytes, which need not be text. The framework knows no file whose name is none.</summary>
public static partial class ByteEntries
{
    private const int BufferBytes = 16 * 1024, NameOffset = 19, LengthOffset = 16;
    private const int CloseOnExec = 0x80000;

    /// <summary>A path as the kernel takes it.</summary>
    public static byte[] PathOf(string path) => Encoding.UTF8.GetBytes(path + '\0');

    /// <summary>The paths of all entries, each with its NUL; empty where the directory cannot be read.</summary>
    /// <param name="directory">The directory's path with its NUL; a link is not followed.</param>
    public static IEnumerable<byte[]> In(byte[] directory)
    {
        using var handle = new SafeFileHandle(Open(directory, DirectoryOnly | NoFollow | CloseOnExec), ownsHandle: true);
        if (handle.IsInvalid)
        {
            yield break;
        }

        foreach (var name in NamesIn(handle))
        {
            yield return [.. directory.AsSpan(0, directory.Length - 1), (byte)'/', .. name];
        }
    }

    /// <summary>The names in a directory that is open, each with its NUL, as far as they can be read.</summary>
    internal static IEnumerable<byte[]> NamesIn(SafeFileHandle directory)
    {
        var buffer = new byte[BufferBytes];
        int length;
        while ((length = (int)Read((int)directory.DangerousGetHandle(), buffer, buffer.Length)) > 0)
        {
            for (var at = 0; at < length; at += BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + LengthOffset)))
            {
                if (NameAt(buffer, at) is { } name)
                {
                    yield return name;
                }
            }
        }
    }

    private static byte[]? NameAt(byte[] buffer, int at)
    {
        var name = buffer.AsSpan(at + NameOffset);
        name = name[..(name.IndexOf((byte)0) + 1)];
        return name is [(byte)'.', 0] or [(byte)'.', (byte)'.', 0] ? null : name.ToArray();
    }

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    private static int DirectoryOnly => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(byte[] path, int flags);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint Read(int directory, [Out] byte[] entries, nint size);
}
