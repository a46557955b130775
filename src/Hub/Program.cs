using System.CommandLine;
using FleetHub;
using FleetHub.Cli;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;

CreationMask.Forbid(CreationMask.WriteOfOthers | CreationMask.Others); // First of all, while this is the only thread.
var root = new RootCommand("The other end of fleet-sidecar: a durable queue of tasks, assigned to agents that can do them.\n\n"
    + "Examples:\n  fleet-hub serve --data ./hub\n  fleet-hub token create iris --data ./hub\n  fleet-hub task add --data ./hub --description \"add a README\"")
{
    ServeCommand.Create(), TokenCommand.Create(), TaskCommand.Create(),
};
SelfDescription.AddTo(root, "fleet-hub", HubVersion.Text, HubManual.Notes);
return await CommandRunner.RunAsync("fleet-hub", root, args, fault => fault is HubUnavailableException ? ExitCodes.Unavailable : null);
