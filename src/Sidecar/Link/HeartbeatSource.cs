using System.Globalization;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Link;

/// <summary>Puts the heartbeat together from what each owner shows.</summary>
internal sealed class HeartbeatSource(SidecarConfig config, RunLoop runs, RunStore store, Berths berths, TimeProvider time)
{
    public SidecarMessage.Heartbeat Now()
    {
        var open = runs.Snapshot;
        var taken = open.Count(run => run.TakesSlot);
        var problem = runs.StoreProblem ?? berths.Problem;
        return new SidecarMessage.Heartbeat
        {
            Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(),
            State = taken > 0 ? "working" : "idle",
            Available = problem is null,
            UnavailableReason = problem is null ? null : Printable.Cut(problem, 500),
            Slots = config.Agent.MaxConcurrentRuns,
            Runs = [.. open.Take(WireLimits.MaxListItems).Select(run => new RunReport
            {
                TaskId = run.TaskId, Generation = run.Generation, State = run.State.Word(), RunId = run.Id, WakeLevel = run.WakeLevel,
            })],
            Resources = MachineLoad(),
            DeadlinesSeconds = config.Deadlines.All.ToDictionary(deadline => deadline.Name, deadline => (long)deadline.Value.TotalSeconds),
            Incidents = store.LoadIncidents() is { Count: > 0 } incidents ? incidents : null,
        };
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
            DiskFreeBytes = new DriveInfo(config.StateDirectory).AvailableFreeSpace,
        };
    }
}
