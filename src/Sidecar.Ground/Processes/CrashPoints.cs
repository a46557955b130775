using System.Globalization;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Ground.Processes;

/// <summary>Named places where a test stops the program to kill it, or somebody else, at exactly that moment.</summary>
/// <remarks>Nothing happens at any of them unless the program was started with <c>--crash-points</c>; only then is
/// <c>FLEET_CRASH_POINT</c> (a name) and <c>FLEET_CRASH_DIR</c> (where the two files go) read. At the point the file <c>reached</c>
/// is made and the thread waits until there is a file <c>go</c>; each point is reached once a process. <c>FLEET_CRASH_PULSE</c>
/// (hh:mm:ss) makes <see cref="Pulse.Usual"/> shorter, so that a test sees soon that a loop is missed.</remarks>
public static class CrashPoints
{
    /// <summary>Every name, in the order of a task's life.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "received", "persisted", "accepted", "prepared", "woken", "confirmed", "working", "result_written", "verified", "pull_request_opened", "pushed", "reported", "acknowledged",
        "rescued",
    ];

    /// <summary>The same for a sync of the fleet's code tree.</summary>
    public static IReadOnlyList<string> Sync { get; } =
    [
        "sync_fetched", "sync_read", "sync_rescued", "sync_journaled", "sync_placing", "sync_staged", "sync_overlaid", "sync_turning", "sync_turned", "sync_placed",
        "identity_written_one", "identity_written", "identity_backed_up_one", "identity_backed_up", "sync_verified", "sync_restarted", "sync_recorded", "sync_done",
    ];

    /// <summary>The same for a start of a supervised member.</summary>
    public static IReadOnlyList<string> Supervise { get; } = ["member_noted", "member_started"];

    private static (string Name, string Directory)? _armed;

    public static void Arm()
    {
        if (TimeSpan.TryParse(Environment.GetEnvironmentVariable("FLEET_CRASH_PULSE"), CultureInfo.InvariantCulture, out var pulse))
        {
            Pulse.Usual = pulse;
        }

        if (Environment.GetEnvironmentVariable("FLEET_CRASH_POINT") is { Length: > 0 } name)
        {
            _armed = All.Contains(name) || Sync.Contains(name) || Supervise.Contains(name)
                ? (name, Environment.GetEnvironmentVariable("FLEET_CRASH_DIR") ?? throw new UsageException("FLEET_CRASH_DIR is missing", "name a directory"))
                : throw new UsageException($"'{name}' is no crash point", $"use one of {string.Join(", ", All.Concat(Sync).Concat(Supervise))}");
        }
    }

    /// <summary>Stops here if a test asked for it.</summary>
    public static void At(string name)
    {
        if (_armed is { } armed && armed.Name == name)
        {
            _armed = null;
            File.WriteAllText(Path.Combine(armed.Directory, "reached"), name);
            SpinWait.SpinUntil(() => File.Exists(Path.Combine(armed.Directory, "go")));
        }
    }
}
