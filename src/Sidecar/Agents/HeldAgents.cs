using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Agents that are held still (SIGSTOP) while the sidecar starts on a full disk, and go on when it has what it needs.</summary>
/// <remarks>
/// One that writes on takes each block in the moment that it becomes free: no start would ever succeed, and nobody would stop
/// the agent. A start that is killed meanwhile leaves them still; the next one on a full disk lets them go on, and otherwise a
/// deadline of their run ends them.
/// </remarks>
internal sealed class HeldAgents : IAsyncDisposable
{
    // Each look finds what was started between the one before and its signals.
    private const int MostLooks = 5;

    private readonly List<ProcessIdentity> _processes = [];
    private readonly List<string> _unitNames = [];
    private readonly AgentUnits _units;

    private HeldAgents(AgentUnits units) => _units = units;

    /// <summary>Holds every agent of this sidecar.</summary>
    public static async Task<HeldAgents> HoldAsync(SidecarConfig config, ToolRunner tools, CancellationToken token)
    {
        var held = new HeldAgents(new AgentUnits(config, tools));
        if (config.AgentsInUnits)
        {
            held._unitNames.AddRange(await held._units.ListAsync());
            await held.SignalUnitsAsync("STOP", token);
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
        await SignalUnitsAsync("CONT", CancellationToken.None);
        _unitNames.Clear();
    }

    private async Task SignalUnitsAsync(string signal, CancellationToken token)
    {
        foreach (var unit in _unitNames)
        {
            await _units.SignalAsync(unit, signal, token);
        }
    }
}
