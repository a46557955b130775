using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents.Units;

/// <summary>How a unit ended, as its last command wrote it down: exit code, the service manager's result, and what its control group says of memory.</summary>
/// <remarks>Three witnesses, because none is enough: with the old control groups the manager calls a kill for memory a plain
/// <c>signal</c>, and a kernel's kill alone says nothing of why. Written by <c>packaging/systemd/fleet-agent-end</c>.</remarks>
internal static class UnitEnd
{
    private const string FileName = "end", RoomName = "end.room";
    private const int LargestFile = 4096;

    // As long as the longest line that the script writes over it: an overwritten block asks the file system for nothing.
    private const int RoomLength = 62;

    /// <summary>Makes the file that an end is written into where the disk has become too full for a new one.</summary>
    public static void MakeRoom(string record) => NewFile.Write(Path.Combine(record, RoomName), Encoding.ASCII.GetBytes(new string(' ', RoomLength) + "\n"));

    public static bool IsMissing(string record) => PathFacts.Of(Path.Combine(record, FileName)) is null && Find(record) is null;

    /// <summary>No code where nothing was written: the machine went down, or somebody removed it.</summary>
    public static ProcessEnd Read(string record, DateTimeOffset now)
    {
        return Find(record) is var (file, end)
            ? end with { AtUnixMs = (PathFacts.Of(file)?.Written ?? now).ToUnixTimeMilliseconds() }
            : new ProcessEnd(null, now.ToUnixTimeMilliseconds());
    }

    private static (string File, ProcessEnd End)? Find(string record)
    {
        foreach (var file in new[] { Path.Combine(record, FileName), Path.Combine(record, RoomName) })
        {
            if (OutsideFile.ReadInside(file, LargestFile) is { } bytes && Parse(OutsideText.Decode(bytes)) is { } end)
            {
                return (file, end);
            }
        }

        return null;
    }

    /// <summary>Reads <c>CODE RESULT OOM_KILLS</c>; null where that is not what it says.</summary>
    public static ProcessEnd? Parse(string text)
    {
        if (text.TrimEnd('\n', ' ').Split(' ') is not [var word, var result, var kills] || !int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
        {
            return null;
        }

        var end = new ProcessEnd(code, 0);
        var killed = long.TryParse(kills, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0;

        // A turn that ended well in spite of a kill is a good one. One that ended badly after a kill most likely did because of it:
        // a wrapper that lost its child to the kernel ends with whatever code it likes.
        return end with { OutOfMemory = result == "oom-kill" || (killed && code != 0) };
    }
}
