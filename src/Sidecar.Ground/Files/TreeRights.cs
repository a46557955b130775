using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Changes the modes of everything of ours below a directory while somebody else may be changing that tree: no link is followed, at any moment.</summary>
/// <remarks>
/// chmod(1) looks at a name and changes it by its name: a link that is put there in between leads it to any file of its user. Here an
/// entry is opened first, without rights, and looked at, changed and entered by what was opened. A directory is changed before it is
/// read, so where it is closed nobody adds to it while it is gone through.
/// </remarks>
public static partial class TreeRights
{
    // One handle a level. What is deeper waits with a handle of its own and is gone through afterwards; of more than this many such
    // directories the rest is left as it is, and found by whoever looks afterwards.
    private const int Deepest = 500, MostWaiting = 200;
    private const int CloseOnExec = 0x80000, PathOnly = 0x200000;
    private const string AccessList = "system.posix_acl_access", DefaultList = "system.posix_acl_default";

    /// <summary>Changes a directory of ours and everything of ours in it.</summary>
    /// <param name="directory">The directory; a link is left alone.</param>
    /// <param name="change">The new mode of a directory (true) or another entry (false) that has this one.</param>
    /// <param name="withoutLists">Removes access lists as well.</param>
    /// <param name="token">Ends it early.</param>
    /// <returns>Whether all of it was gone through: nothing was too deep, of somebody else, or could not be opened.</returns>
    /// <exception cref="OperationCanceledException">It was ended early.</exception>
    public static bool Set(string directory, Func<bool, UnixFileMode, UnixFileMode> change, bool withoutLists, CancellationToken token)
    {
        var waiting = new Queue<SafeFileHandle>();
        waiting.Enqueue(new SafeFileHandle(Open(directory, PathOnly | NoFollow | CloseOnExec), ownsHandle: true));
        var isWhole = true;
        try
        {
            while (waiting.TryDequeue(out var next))
            {
                using (next)
                {
                    isWhole &= !next.IsInvalid && Change(next, change, withoutLists, waiting, Deepest, token);
                }
            }
        }
        finally
        {
            foreach (var left in waiting)
            {
                left.Dispose();
            }
        }

        return isWhole;
    }

    private static bool Change(SafeFileHandle entry, Func<bool, UnixFileMode, UnixFileMode> change, bool withoutLists, Queue<SafeFileHandle> waiting, int depth, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        var path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{(int)entry.DangerousGetHandle()}");
        if (PathFacts.Opened((int)entry.DangerousGetHandle()) is not { } facts || facts.Kind == PathKind.Link)
        {
            return true; // A link has no mode.
        }

        if (facts.Owner != UnixAccounts.Self)
        {
            return false;
        }

        var (isDirectory, isWhole) = (facts.Kind == PathKind.Directory, true);
        if (withoutLists)
        {
            _ = RemoveAttribute(path, AccessList); // Where there is none, or no such thing on this file system, there is none afterwards.
            _ = isDirectory ? RemoveAttribute(path, DefaultList) : 0;
            facts = PathFacts.Opened((int)entry.DangerousGetHandle()) ?? facts; // The group's bits were the list's mask.
        }

        var mode = change(isDirectory, facts.Mode);
        if (mode != facts.Mode)
        {
            isWhole = ChangeMode(path, (uint)mode) == 0;
        }

        if (isDirectory && depth == 0)
        {
            if (waiting.Count >= MostWaiting)
            {
                return false;
            }

            waiting.Enqueue(new SafeFileHandle(Open(path, PathOnly | CloseOnExec), ownsHandle: true));
            return isWhole;
        }

        return isDirectory ? ChangeBelow(path, change, withoutLists, waiting, depth - 1, token) && isWhole : isWhole;
    }

    private static bool ChangeBelow(string path, Func<bool, UnixFileMode, UnixFileMode> change, bool withoutLists, Queue<SafeFileHandle> waiting, int depth, CancellationToken token)
    {
        // The same directory once more, now to be read.
        using var directory = new SafeFileHandle(Open(path, DirectoryOnly | CloseOnExec), ownsHandle: true);
        if (directory.IsInvalid)
        {
            return false;
        }

        var isWhole = true;
        foreach (var name in ByteEntries.NamesIn(directory))
        {
            using var entry = new SafeFileHandle(OpenAt((int)directory.DangerousGetHandle(), name, PathOnly | NoFollow | CloseOnExec), ownsHandle: true);
            isWhole &= !entry.IsInvalid && Change(entry, change, withoutLists, waiting, depth, token);
        }

        return isWhole;
    }

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    private static int DirectoryOnly => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAt(int directory, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "chmod", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int ChangeMode(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "removexattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int RemoveAttribute(string path, string name);
}
