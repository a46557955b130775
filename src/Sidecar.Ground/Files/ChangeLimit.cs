using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>Where in the file system the calling thread may change anything from now on. See landlock(7). For a process that has one task, before it starts another thread.</summary>
/// <remarks>What is open already stays so. Kernels before 5.13, and those that were built or started without it, have no such limit.</remarks>
public static partial class ChangeLimit
{
    private const int CreateRuleset = 444, AddRule = 445, RestrictSelf = 446, AskVersion = 1, PathBeneath = 1; // The numbers are the same on all architectures.
    private const int SetNoNewPrivileges = 38; // prctl(2)
    private const int OnlyPath = 0x200000, CloseOnExec = 0x80000; // O_PATH, O_CLOEXEC
    private const ulong WriteFile = 1 << 1, RemoveDirectory = 1 << 4, RemoveFile = 1 << 5, MakeFile = 1 << 8, Truncate = 1 << 14;
    private const ulong MakeOthers = (1 << 6) | (1 << 7) | (1 << 9) | (1 << 10) | (1 << 11) | (1 << 12); // Devices, directories, sockets, pipes, links.
    private const int KnowsTruncate = 3;

    /// <summary>Files may be made, written and removed in these directories and below them, and nowhere else.</summary>
    /// <param name="directories">Each by its real path, as it is now: where its name leads to later does not matter, and one that leads elsewhere already is refused.</param>
    /// <returns>False, and nothing is limited, where the kernel has no such limit.</returns>
    /// <exception cref="IOException">A directory cannot be opened, or the limit is refused.</exception>
    public static bool TrySet(params ReadOnlySpan<string> directories)
    {
        var version = Call(CreateRuleset, 0, 0, AskVersion);
        if (version < 1)
        {
            return false;
        }

        var allowed = WriteFile | RemoveFile | MakeFile | (version >= KnowsTruncate ? Truncate : 0);
        var handled = allowed | RemoveDirectory | MakeOthers;
        using var rules = new SafeFileHandle((nint)Call(CreateRuleset, in handled, sizeof(ulong), 0), ownsHandle: true);
        if (rules.IsInvalid)
        {
            throw Fault("no rules for changes can be made");
        }

        foreach (var directory in directories)
        {
            using var handle = new SafeFileHandle(Open(directory, OnlyPath | CloseOnExec), ownsHandle: true);
            var beneath = new Beneath { Allowed = allowed, Parent = (int)handle.DangerousGetHandle() };
            if (!handle.IsInvalid && new FileInfo($"/proc/self/fd/{(int)handle.DangerousGetHandle()}").LinkTarget != directory)
            {
                throw new IOException($"{directory} is reached by a symbolic link, and the maker of that link would choose what may be changed");
            }

            if (handle.IsInvalid || Call(AddRule, rules.DangerousGetHandle(), PathBeneath, in beneath, 0) != 0)
            {
                throw Fault($"{directory} cannot be opened");
            }
        }

        return Control(SetNoNewPrivileges, 1, 0, 0, 0) == 0 && Call(RestrictSelf, rules.DangerousGetHandle(), 0, 0) == 0 ? true : throw Fault("changes cannot be limited");
    }

    private static IOException Fault(string what) => new($"{what}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Beneath
    {
        public ulong Allowed;
        public int Parent;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, nint first, nint second, nint third);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, in ulong handled, nint size, nint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, nint rules, nint kind, in Beneath rule, nint flags);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nint first, nint second, nint third, nint fourth);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);
}
