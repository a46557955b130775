using System.Globalization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents.Units;

/// <summary>How a unit ended, as its last command wrote it down: exit code, the service manager's result, and what its control group says of memory.</summary>
/// <remarks>Three witnesses, because none is enough: with the old control groups the manager calls a kill for memory a plain
/// <c>signal</c>, and a kernel's kill alone says nothing of why. Written by <c>packaging/systemd/fleet-agent-end</c>.</remarks>
internal static class UnitEnd
{
    private const string FileName = "end";
    private const int LargestFile = 4096;

    public static bool IsMissing(string record) => PathFacts.Of(Path.Combine(record, FileName)) is null;

    /// <summary>No code where nothing was written: the machine went down, or somebody removed it.</summary>
    public static ProcessEnd Read(string record, DateTimeOffset now)
    {
        var file = Path.Combine(record, FileName);
        return OutsideFile.ReadInside(file, LargestFile) is { } bytes && Parse(OutsideText.Decode(bytes)) is { } end
            ? end with { AtUnixMs = (PathFacts.Of(file)?.Written ?? now).ToUnixTimeMilliseconds() }
            : new ProcessEnd(null, now.ToUnixTimeMilliseconds());
    }

    /// <summary>Reads <c>CODE RESULT OOM_KILLS</c>; null where that is not what it says.</summary>
    public static ProcessEnd? Parse(string text)
    {
        if (text.TrimEnd('\n').Split(' ') is not [var word, var result, var kills] || !int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
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
