using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Puts bytes in the place of a file at one instant, with the mode and the owner that it is to have from its first moment there.</summary>
public static partial class OwnedFile
{
    /// <summary>The name that the bytes have before they take the place; a crash may leave one, the next write replaces it.</summary>
    public static string Beside(string path) => Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.fleet-sidecar.tmp");

    /// <param name="path">The file; whatever file or link is there is replaced.</param>
    /// <param name="bytes">The whole content.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="owner">User and group; only root can give a file away, so a different owner is left alone where we are not.</param>
    public static void Write(string path, ReadOnlySpan<byte> bytes, UnixFileMode mode, (uint User, uint Group)? owner = null) => Put(Beside(path), path, bytes, mode, owner);

    /// <summary>The same with another name for what is not there yet.</summary>
    internal static void Put(string beside, string path, ReadOnlySpan<byte> bytes, UnixFileMode mode, (uint User, uint Group)? owner = null)
    {
        ClearPlace.ForFile(beside);
        File.Delete(beside);
        try
        {
            Fill(beside, bytes, mode, owner);
            FileRename.Over(beside, path);
        }
        catch
        {
            Forget(beside);
            throw;
        }

        DirectorySync.Flush(Path.GetDirectoryName(path)!);
    }

    private static void Fill(string beside, ReadOnlySpan<byte> bytes, UnixFileMode mode, (uint User, uint Group)? owner)
    {
        using var file = new FileStream(beside, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(bytes);
        if (owner is { } given && Environment.IsPrivilegedProcess)
        {
            _ = ChangeOwner((int)file.SafeFileHandle.DangerousGetHandle(), given.User, given.Group); // What was opened: another may have that name by now.
        }

        File.SetUnixFileMode(file.SafeFileHandle, mode); // After the owner: a change of owner drops set-id bits.
        file.Flush(flushToDisk: true);
    }

    // A disk that took only a part of it needs the room.
    private static void Forget(string beside)
    {
        try
        {
            File.Delete(beside);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int ChangeOwner(int file, uint user, uint group);
}
