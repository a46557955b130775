using System.Globalization;
using System.Text.Json;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Ground.Processes;

/// <summary>
/// Named places where a test stops the program, to kill it, or another process, at exactly that moment.
/// </summary>
/// <remarks>
/// Nothing happens at any of them unless the program was started with <c>--crash-points</c>. Only then are
/// <c>FLEET_CRASH_POINT</c> (a name) and <c>FLEET_CRASH_DIR</c> (the directory of the two files) read. At the point
/// the program makes the file <c>reached</c> and the thread waits until there is a file <c>go</c>; each point is
/// reached once a process. <c>FLEET_CRASH_PULSE</c> (hh:mm:ss) makes <see cref="Pulse.Usual"/> shorter, so that a
/// test sees soon that a loop is missed.
/// </remarks>
public static class CrashPoints
{
    private const int FamilySize = 100;

    private static (CrashPointName Point, string Directory)? _armed;

    /// <summary>Every point of a family, in the order of its life.</summary>
    public static IReadOnlyList<CrashPointName> Of(CrashFamily family) =>
        [.. Enum.GetValues<CrashPointName>().Where(point => (int)point / FamilySize == (int)family).Order()];

    /// <summary>The word that arms a point.</summary>
    public static string Word(this CrashPointName point) =>
        JsonNamingPolicy.SnakeCaseLower.ConvertName(point.ToString());

    /// <summary>The point of a word, or null.</summary>
    public static CrashPointName? Parse(string word)
    {
        foreach (var point in Enum.GetValues<CrashPointName>())
        {
            if (point.Word() == word)
            {
                return point;
            }
        }

        return null;
    }

    /// <summary>Reads which point is armed.</summary>
    /// <exception cref="UsageException">A variable has a value that means nothing.</exception>
    public static void Arm()
    {
        FaultPoints.Arm(Environment.GetEnvironmentVariable("FLEET_FAULT_POINT"));
        if (Environment.GetEnvironmentVariable("FLEET_CRASH_PULSE") is { Length: > 0 } text)
        {
            Pulse.Usual =
                TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var pulse) && pulse > TimeSpan.Zero
                    ? pulse
                    : throw new UsageException($"FLEET_CRASH_PULSE '{text}' is no time", "write it as hh:mm:ss");
        }

        if (Environment.GetEnvironmentVariable("FLEET_CRASH_POINT") is { Length: > 0 } word)
        {
            var point =
                Parse(word)
                ?? throw new UsageException(
                    $"'{word}' is no crash point",
                    $"use one of {string.Join(", ", Enum.GetValues<CrashPointName>().Select(Word))}"
                );
            var directory = Environment.GetEnvironmentVariable("FLEET_CRASH_DIR");
            _armed = Directory.Exists(directory)
                ? (point, directory)
                : throw new UsageException(
                    "FLEET_CRASH_DIR names no directory",
                    "name the directory where the files 'reached' and 'go' are to be"
                );
        }
    }

    /// <summary>Stops here if a test asked for it.</summary>
    public static void At(CrashPointName point)
    {
        if (_armed is { } armed && armed.Point == point)
        {
            _armed = null;
            File.WriteAllText(Path.Combine(armed.Directory, "reached"), point.Word());
            SpinWait.SpinUntil(() => File.Exists(Path.Combine(armed.Directory, "go")));
        }
    }
}
