using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Files;

/// <summary>What a name stands for; a link is itself, never what it points to.</summary>
public enum PathKind
{
    File,
    Directory,
    Link,
    Socket,
    Other,
}

/// <summary>What a file system says of one name: kind, owner, mode, length, when it was written and when anything of it was changed, its name too. Names are bytes, as Linux has them; they need not be text.</summary>
/// <remarks>A file may have a date that the framework's own call throws at: anybody can give it one. Here it is the nearest that can be said.</remarks>
public readonly partial record struct PathFacts(PathKind Kind, uint Owner, uint Group, UnixFileMode Mode, long Length, DateTimeOffset Written = default, DateTimeOffset Changed = default)
{
    private const long Latest = 253_402_300_799; // The last second of the year 9999.

    private const int CurrentDirectory = -100, NoFollow = 0x100, EmptyPath = 0x1000; // AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
    private const uint BasicStats = 0x7ff;
    private const int NoEntry = 2, NotDirectory = 20; // errno
    private const int FormatBits = 0xF000, Regular = 0x8000, Folder = 0x4000, Symbolic = 0xA000, UnixSocket = 0xC000;

    /// <summary>Null where there is nothing, or where this user may not look.</summary>
    public static PathFacts? Of(string path) => Of(Encoding.UTF8.GetBytes(path + '\0'));

    /// <summary>The same for a name that ends with NUL.</summary>
    public static PathFacts? Of(byte[] path) => Of(CurrentDirectory, path, NoFollow);

    /// <summary>The same for what is open, also where it was opened without any right.</summary>
    public static PathFacts? Opened(int handle) => Of(handle, [0], EmptyPath);

    /// <summary>Whether a name, also one that is a link, leads to a file that is open; false where it was removed, renamed, or something else stands there.</summary>
    public static bool IsAt(SafeFileHandle file, string path) => !file.IsClosed && Ask((int)file.DangerousGetHandle(), [0], EmptyPath, BasicStats, out var open) == 0
        && Ask(CurrentDirectory, Encoding.UTF8.GetBytes(path + '\0'), 0, BasicStats, out var named) == 0
        && (open.Number, open.DeviceMajor, open.DeviceMinor) == (named.Number, named.DeviceMajor, named.DeviceMinor);

    private static PathFacts? Of(int directory, byte[] path, int flags) => Ask(directory, path, flags, BasicStats, out var answer) != 0 ? null
        : new PathFacts(
            (answer.Mode & FormatBits) switch { Regular => PathKind.File, Folder => PathKind.Directory, Symbolic => PathKind.Link, UnixSocket => PathKind.Socket, _ => PathKind.Other },
            answer.Owner, answer.Group, (UnixFileMode)(answer.Mode & 0xFFF), (long)answer.Size,
            At(answer.WrittenSeconds, answer.WrittenNanoseconds), At(answer.ChangedSeconds, answer.ChangedNanoseconds));

    private static DateTimeOffset At(long seconds, uint nanoseconds) => DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, 0, Latest)).AddTicks(nanoseconds / 100);

    /// <summary>Why nobody can say whether there is something, or null where that is known.</summary>
    public static string? Fault(string path) =>
        Ask(CurrentDirectory, Encoding.UTF8.GetBytes(path + '\0'), NoFollow, BasicStats, out _) == 0 || Marshal.GetLastPInvokeError() is NoEntry or NotDirectory ? null : Marshal.GetLastPInvokeErrorMessage();

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Ask(int directory, byte[] path, int flags, uint mask, out Answer answer);

    // struct statx is the same on every architecture; see statx(2).
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly struct Answer
    {
        [FieldOffset(20)]
        public readonly uint Owner;

        [FieldOffset(24)]
        public readonly uint Group;

        [FieldOffset(28)]
        public readonly ushort Mode;

        [FieldOffset(32)]
        public readonly ulong Number;

        [FieldOffset(40)]
        public readonly ulong Size;

        [FieldOffset(96)]
        public readonly long ChangedSeconds;

        [FieldOffset(104)]
        public readonly uint ChangedNanoseconds;

        [FieldOffset(112)]
        public readonly long WrittenSeconds;

        [FieldOffset(120)]
        public readonly uint WrittenNanoseconds;

        [FieldOffset(136)]
        public readonly uint DeviceMajor;

        [FieldOffset(140)]
        public readonly uint DeviceMinor;
    }
}
