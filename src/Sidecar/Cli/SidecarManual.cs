using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Cli;

/// <summary>What <c>fleet-sidecar(1)</c> says beside the commands.</summary>
internal static class SidecarManual
{
    public static ManualNotes Notes { get; } = new(
        [
            (ExitCodes.Ok, "Asked to stop, or the command did what was asked."),
            (ExitCodes.Failed, "The command was understood and refused, or its subject is in trouble; the line on standard error says which."),
            (ExitCodes.GateReview, "Of `gate check`: a person has to look at the change."),
            (ExitCodes.GateEscalate, "Of `gate check`: something about the change is wrong or dangerous."),
            (ExitCodes.Usage, "The command line is wrong. The service is not restarted."),
            (ExitCodes.Unavailable, "The daemon does not answer."),
            (ExitCodes.LoopDied, "A part of the daemon died. The service is restarted."),
            (ExitCodes.Config, "Configuration or identity is wrong. The service is not restarted."),
        ],
        [
            ("/etc/fleet-sidecar/sidecar.json", "The configuration, see `fleet-sidecar.json(5)`; further files in `conf.d` beside it."),
            ("/etc/fleet-sidecar/hub-token", "The token for the hub, for root alone; systemd hands it to the daemon."),
            ("/var/lib/fleet-sidecar", "Everything that must survive."),
            ("/var/lib/fleet-agents/N", "Home of each agent; common beside them holds what every agent is given."),
            ("/var/lib/fleet-agent", "Home of the user beside them: for signing in, and for agents that a signal wakes."),
            ("/run/fleet-sidecar", "Sockets for the commands above."),
        ],
        ["fleet-sidecar.json(5)", "fleet-hub(1)", "systemctl(1)", "journalctl(1)"]);
}
