using FleetSidecar.Cli;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

return await CommandRunner.RunAsync("fleet-sidecar", SidecarCommands.Root(), args,
    fault => fault is DaemonUnavailableException ? ExitCodes.Unavailable : null);
