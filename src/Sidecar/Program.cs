using FleetSidecar;
using FleetSidecar.Cli;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

if (args is ["run", ..])
{
    Warmup.Start();
}

return await CommandRunner.RunAsync("fleet-sidecar", SidecarCommands.Root(), args,
    fault => fault is DaemonUnavailableException ? ExitCodes.Unavailable : null);
