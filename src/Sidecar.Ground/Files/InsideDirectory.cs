using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>An open directory in a tree that an agent may be changing. Its files are reached through the open directory, not through its name.</summary>
/// <remarks>Each step is opened without following a link, so the kernel refuses a link that an agent puts there in between. Not openat2(2),
/// which a unit with RestrictSUIDSGID= does not have.</remarks>
public sealed partial class InsideDirectory : IDisposable
{
    private const int CloseOnExec = 0x80000, PathOnly = 0x200000;

    private readonly SafeFileHandle _directory;

    private InsideDirectory(SafeFileHandle directory) => _directory = directory;

    /// <summary>Null where there is no such directory, or a link on the way.</summary>
    /// <param name="root">The directory to begin with, which an agent cannot rename. A link at this name is refused; with <c>/.</c> at its end it is followed.</param>
    /// <param name="names">The names of the directories below it, one after the other.</param>
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

    /// <summary>Opens a file in it without following a link; invalid where that fails.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="flags">As in open(2), besides those that refuse a link and close the file at the start of a program.</param>
    internal SafeFileHandle OpenFile(string name, int flags) => new(OpenAt((int)_directory.DangerousGetHandle(), name, flags | CloseOnExec | NoFollow), ownsHandle: true);

    /// <summary>A path to a name in it, for as long as this is open.</summary>
    public string this[string name] => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{(int)_directory.DangerousGetHandle()}/{name}");

    /// <summary>Whose it is.</summary>
    public uint Owner => PathFacts.Opened((int)_directory.DangerousGetHandle())?.Owner ?? uint.MaxValue;

    /// <summary>Whether root owns it and root alone may add or rename files in it.</summary>
    public bool IsOfRootAlone => PathFacts.Opened((int)_directory.DangerousGetHandle()) is { Owner: 0 } facts && (facts.Mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0;

    public void Dispose() => _directory.Dispose();

    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    private static int DirectoryOnly => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "openat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int OpenAt(int directory, string path, int flags);
}
