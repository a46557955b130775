using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Sees to it that no process of a verification step outlives the step, or the daemon that started it by more than a moment.</summary>
/// <remarks>
/// A step's processes are known by a variable that they inherit. A step that empties its environment, leaves its parents and
/// goes into the background is not found; it takes a control group to hold that one.
/// </remarks>
internal sealed class StepLeftovers(SidecarConfig config)
{
    public const string Mark = "FLEET_VERIFY_OF";
    private const int Rounds = 5; // Who is killed may just have made a child.

    private readonly string _instance = Guid.NewGuid().ToString("N");
    private readonly Lock _turn = new();
    private bool _swept;

    public string MarkOf(string run) => $"{config.StateDirectory}:{_instance}:{run}";

    /// <summary>Once a process: kills what steps of an earlier daemon left, so that a step is never run beside its own earlier try.</summary>
    public void Sweep()
    {
        lock (_turn)
        {
            if (!_swept)
            {
                Kill($"{Mark}={config.StateDirectory}:");
                _swept = true;
            }
        }
    }

    /// <summary>Kills what a run's step left behind.</summary>
    public void Kill(Runs.Run run) => Kill($"{Mark}={MarkOf(run.Id)}\0");

    private static void Kill(string variable)
    {
        for (var round = 0; round < Rounds && ProcessEnvironments.Carrying(variable) is { Count: > 0 } left; round++)
        {
            left.ForEach(process => Signals.ToProcess(process.Pid, Signals.Kill));
        }
    }
}
