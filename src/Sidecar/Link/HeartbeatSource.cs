using System.Globalization;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Link;

/// <summary>Puts the heartbeat together from what each owner shows.</summary>
internal sealed class HeartbeatSource(SidecarConfig config, RunLoop runs, RunStore store, Availability availability, TimeProvider time)
{
    /// <summary>Gives the last self-test; set by the start, because the self-test looks at the link.</summary>
    public Func<SelfTestReport?> SelfTest { get; set; } = () => null;

    /// <summary>Ends when the next heartbeat would say something else about taking work.</summary>
    public Task Changed => availability.Changed;

    public SidecarMessage.Heartbeat Now()
    {
        var open = runs.Snapshot;
        var taken = open.Count(run => run.TakesSlot);
        var closed = availability.Closed;
        return new SidecarMessage.Heartbeat
        {
            Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(),
            State = closed?.Word is "draining" or "paused" or "stopping" ? closed.Word : taken > 0 ? "working" : "idle",
            Available = closed is null,
            UnavailableReason = closed is null ? null : Printable.Cut(closed.Detail, 500),
            SelfTest = SelfTest(),
            Slots = config.Agent.MaxConcurrentRuns,
            Runs = [.. open.Take(WireLimits.MaxListItems).Select(run => new RunReport
            {
                TaskId = run.TaskId, Generation = run.Generation, State = run.State.Word(), RunId = run.Id, WakeLevel = run.WakeLevel,
            })],
            Resources = MachineLoad(),
            DeadlinesSeconds = config.Deadlines.All.ToDictionary(deadline => JsonNamingPolicy.SnakeCaseLower.ConvertName(deadline.Name), deadline => (long)deadline.Value.TotalSeconds),
            Incidents = Incidents(),
        };
    }

    private List<Incident>? Incidents()
    {
        try
        {
            return store.LoadIncidents() is { Count: > 0 } incidents ? incidents : null;
        }
        catch (StoreUnavailableException)
        {
            return null; // That the store cannot be used is what this heartbeat says anyway; it must not end the link.
        }
    }

    private Resources MachineLoad()
    {
        var memory = File.ReadLines("/proc/meminfo").Take(3)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(parts => parts[0], parts => long.Parse(parts[1], CultureInfo.InvariantCulture) * 1024);
        return new Resources
        {
            Load1 = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture),
            MemoryTotalBytes = memory.GetValueOrDefault("MemTotal:"),
            MemoryAvailableBytes = memory.GetValueOrDefault("MemAvailable:"),
            DiskFreeBytes = DiskFree(),
        };
    }

    // A disk that cannot be asked is the self-test's to report, in this very heartbeat.
    private long? DiskFree()
    {
        try
        {
            return DiskSpace.At(config.StateDirectory).Bytes;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
