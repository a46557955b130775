using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Turns a symbolic link to another target at one instant; there is none at which it is missing.</summary>
public static partial class SymbolicLink
{
    public static void Turn(string link, string target)
    {
        var beside = OwnedFile.Beside(link);
        File.Delete(beside);
        File.CreateSymbolicLink(beside, target);
        if (Rename(beside, link) != 0)
        {
            throw new IOException($"cannot turn the link {link}: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        DirectorySync.Flush(Path.GetDirectoryName(link)!);
    }

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Rename(string from, string to);
}
