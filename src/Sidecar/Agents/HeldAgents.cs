using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Agents;

/// <summary>Agents that are held still (SIGSTOP) while the sidecar starts on a full disk, and go on when it has what it needs.</summary>
/// <remarks>
/// One that writes on takes each block in the moment that it becomes free: no start would ever succeed, and nobody would stop
/// the agent. A mark on disk comes first and goes last, so that a start after a crash in between lets the agents go on. Without
/// a mark none is held.
/// </remarks>
internal sealed class HeldAgents : IAsyncDisposable
{
    // Each look finds what was started between the one before and its signals.
    private const int MostLooks = 5;

    private readonly List<ProcessIdentity> _processes = [];
    private readonly List<string> _unitNames = [];
    private readonly AgentUnits _units;
    private readonly StoreReserve _reserve;
    private readonly string _mark;

    private HeldAgents(AgentUnits units, StoreReserve reserve, string mark) => (_units, _reserve, _mark) = (units, reserve, mark);

    /// <summary>Holds every agent of this sidecar where the disk is full, or where an earlier start held them and died.</summary>
    /// <returns>What lets them go on; null where none is held.</returns>
    public static async Task<HeldAgents?> HoldIfNeededAsync(SidecarConfig config, StoreReserve reserve, ToolRunner tools)
    {
        var mark = Path.Combine(config.StateDirectory, "agents-held");
        if (!File.Exists(mark) && !(reserve.IsDiskFull && reserve.TryMark(mark)))
        {
            return null;
        }

        var held = new HeldAgents(new AgentUnits(config, new AgentSlots(config), tools), reserve, mark);
        if (config.AgentsInUnits)
        {
            held._unitNames.AddRange(await held._units.ListAsync());
            await held.SignalUnitsAsync("STOP");
            return held;
        }

        for (var look = 0; look < MostLooks; look++)
        {
            var found = ProcessScan.AllBelow(config.RunsDirectory).Except(held._processes).ToList();
            if (found.Count == 0)
            {
                break;
            }

            found.ForEach(process => Signals.ToProcess(process.Pid, Signals.Stop));
            held._processes.AddRange(found);
        }

        return held;
    }

    /// <summary>Lets them go on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Where(process => process.IsAlive()))
        {
            Signals.ToProcess(process.Pid, Signals.Continue);
        }

        _processes.Clear();
        await SignalUnitsAsync("CONT");
        _unitNames.Clear();
        _reserve.TakeMarkBack(_mark);
    }

    private async Task SignalUnitsAsync(string signal)
    {
        foreach (var unit in _unitNames)
        {
            await _units.SignalAsync(unit, signal, CancellationToken.None);
        }
    }
}
