using System.Globalization;
using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Ground.Processes;

/// <summary>Named places where a test makes the program throw, as a fault of our own would: each must end as an outcome of one run.</summary>
/// <remarks>
/// Nothing happens unless the program was started with <c>--crash-points</c>. Only then is <c>FLEET_FAULT_POINT</c> read: the
/// place in lower case and how often it throws, as <c>stop:3</c>; without a number once, and <c>stop:all</c> every time.
/// </remarks>
public static class FaultPoints
{
    private static FaultPoint? _armed;
    private static int _left;

    /// <summary>Reads which place is armed.</summary>
    /// <exception cref="UsageException">The word names no place, or the number is none.</exception>
    public static void Arm(string? word)
    {
        if (string.IsNullOrEmpty(word))
        {
            return;
        }

        var parts = word.Split(':');
        if (!Enum.TryParse<FaultPoint>(parts[0], ignoreCase: true, out var point) || !Enum.IsDefined(point))
        {
            throw new UsageException($"'{parts[0]}' is no fault point", $"use one of {string.Join(", ", Enum.GetNames<FaultPoint>()).ToLowerInvariant()}");
        }

        (_armed, _left) = (point, Times(parts.ElementAtOrDefault(1)));
    }

    /// <summary>Throws here if a test asked for it.</summary>
    /// <exception cref="InvalidOperationException">It did.</exception>
    public static void At(FaultPoint point)
    {
        if (_armed == point && Interlocked.Decrement(ref _left) >= 0)
        {
            throw new InvalidOperationException($"a test made {point} throw");
        }
    }

    private static int Times(string? text)
    {
        if (text == "all")
        {
            return int.MaxValue;
        }

        if (text is null)
        {
            return 1;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var times)
            ? times
            : throw new UsageException($"'{text}' is no number of times", "use a whole number, or all");
    }
}

/// <summary>The places: each order of a run, its steps, and the run loop's own work.</summary>
public enum FaultPoint
{
    /// <summary>The workspace is about to be made.</summary>
    Prepare,

    /// <summary>Nothing has been started yet.</summary>
    Wake,

    /// <summary>A process has been started and the store does not know it yet.</summary>
    Woken,

    /// <summary>The pause before another wake attempt.</summary>
    Pause,

    /// <summary>A look at a living agent.</summary>
    Watch,

    /// <summary>A question to the program that a signal went to.</summary>
    Probe,

    /// <summary>Reading what an agent that has ended left behind.</summary>
    Collect,

    /// <summary>The checks of the work.</summary>
    Verify,

    /// <summary>The push.</summary>
    Submit,

    /// <summary>Stopping an agent.</summary>
    Stop,

    /// <summary>An input of the run loop that a run's order sent.</summary>
    Learn,

    /// <summary>Writing a run as a row; its reduced form can be written.</summary>
    Save,

    /// <summary>Writing a run as a row in any form.</summary>
    SaveReduced,

    /// <summary>Looking at the start for what became of a run's process.</summary>
    Witness,

    /// <summary>A frame of the hub.</summary>
    Receive,
}
