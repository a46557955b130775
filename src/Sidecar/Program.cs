using FleetSidecar;
using FleetSidecar.Cli;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Identity;
using FleetSidecar.Reload;

CreationMask.Forbid(CreationMask.WriteOfOthers); // First of all, while this is the only thread.
const string Name = "fleet-sidecar";
static int? CodeOf(Exception fault) => fault is DaemonUnavailableException ? ExitCodes.Unavailable : null;

// The line that units have. It means what the command line's own parser would make of it, which costs a tenth of a start to load.
if (args is ["run", "--config", [not '-', ..] file, .. var more] && more is [] or [SidecarCommands.WaitForSetup])
{
    if (more.Length > 0 && SetupWait.IsFor(file))
    {
        return await CommandRunner.GuardAsync(Name, () => SetupWait.RunAsync(file), CodeOf);
    }

    using var reloads = new ReloadRequests(); // First of all: until then SIGHUP ends the process.
    using var signals = new SecondSignal();
    Warmup.Start();
    return await CommandRunner.GuardAsync(Name, () => Daemon.RunAsync(new ConfigOrigin(file, []), reloads, signals, CancellationToken.None), CodeOf);
}

if (args is [LiveDatabase.Command, .. var database])
{
    return LiveDatabaseCommand.Run(database);
}

return await CommandRunner.RunAsync(Name, SidecarCommands.Root(), args, CodeOf);
