using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>A directory in a tree that somebody else may be changing: what is done in it happens there, wherever its name leads by then.</summary>
/// <remarks>Opened step by step and without following a link, so the kernel refuses one, also one that comes while we look.</remarks>
public sealed partial class InsideDirectory : IDisposable
{
    private const int CloseOnExec = 0x80000, PathOnly = 0x200000;

    private readonly SafeFileHandle _directory;

    private InsideDirectory(SafeFileHandle directory) => _directory = directory;

    /// <summary>Null where there is no such directory, or a link on the way.</summary>
    /// <param name="root">Nobody else can replace this name by a link.</param>
    /// <param name="names">From there on, one after the other.</param>
    public static InsideDirectory? Open(string root, params ReadOnlySpan<string> names)
    {
        var at = new SafeFileHandle(Open(root, CloseOnExec | PathOnly | NoFollow | DirectoryOnly), ownsHandle: true);
        foreach (var name in names)
        {
            using var above = at;
            at = new SafeFileHandle(above.IsInvalid ? -1 : OpenAt((int)above.DangerousGetHandle(), name, CloseOnExec | PathOnly | NoFollow | DirectoryOnly), ownsHandle: true);
        }

        if (!at.IsInvalid)
        {
            return new InsideDirectory(at);
        }

        at.Dispose();
        return null;
    }

    /// <summary>A path to a name in it, for as long as this is open.</summary>
    public string this[string name] => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{(int)_directory.DangerousGetHandle()}/{name}");

    /// <summary>Whose it is.</summary>
    public uint Owner => PathFacts.Opened((int)_directory.DangerousGetHandle())?.Owner ?? uint.MaxValue;

    /// <summary>Whether it is root's, and nobody else may add or rename anything in it.</summary>
    public bool IsOfRootAlone => PathFacts.Opened((int)_directory.DangerousGetHandle()) is { Owner: 0 } facts && (facts.Mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0;

    public void Dispose() => _directory.Dispose();

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    private static int DirectoryOnly => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "openat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int OpenAt(int directory, string path, int flags);
}
