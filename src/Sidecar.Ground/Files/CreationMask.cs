using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>The process's umask: what no new file of ours, or of a program that we start, may allow.</summary>
/// <remarks>Outside of a service manager it is whatever the shell had, and 0 makes every file writable for everybody.
/// It belongs to
/// the whole process (umask(2)), so it is set once, as the first thing that a program does.</remarks>
public static partial class CreationMask
{
    /// <summary>Write permission of everybody but the owner.</summary>
    public const UnixFileMode WriteOfOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Whatever others could do.</summary>
    public const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Adds to what the caller forbade already.</summary>
    public static void Forbid(UnixFileMode more) => Set((UnixFileMode)SetMask((uint)Others) | more);

    /// <summary>Forbids exactly this, whatever the caller forbade.</summary>
    public static void Set(UnixFileMode forbidden) => _ = SetMask((uint)forbidden);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);
}
