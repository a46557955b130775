using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

namespace FleetHub.Cli;

/// <summary>What <c>fleet-hub(1)</c> says beside the commands.</summary>
internal static class HubManual
{
    public static ManualNotes Notes { get; } = new(
        [
            (ExitCodes.Ok, "Asked to stop, or the command did what was asked."),
            (ExitCodes.Failed, "The command was understood and refused; the line on standard error says why."),
            (ExitCodes.Usage, "The command line is wrong. The service is not restarted."),
            (ExitCodes.Unavailable, "The hub does not answer."),
            (ExitCodes.LoopDied, "A part of the hub died. The service is restarted."),
            (ExitCodes.Config, "The hub cannot listen, or its directory is in use. The service is not restarted."),
        ],
        [
            ("/etc/default/fleet-hub", "Options of the service, in `FLEET_HUB_OPTIONS`."),
            ("/var/lib/fleet-hub", "Everything that must survive: tasks, tokens (as hashes), agents."),
        ],
        ["fleet-sidecar(1)", "systemctl(1)", "journalctl(1)"]);
}
