using System.CommandLine;
using FleetSidecar.Configuration;
using FleetSidecar.Deadman;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Cli;

/// <summary><c>deadman</c>: one pass of the dead man's switch, for a timer.</summary>
internal static class DeadmanCommand
{
    public static Command Create(Option<string> config)
    {
        var unit = new Option<string>("--unit") { Description = "The daemon's unit; default: the package's own for this configuration", HelpName = "NAME" };
        var state = new Option<string>("--state") { Description = "The daemon's state directory, for when the configuration cannot be read", HelpName = "DIR" };
        var command = new Command("deadman", "Look once whether the daemon is dead, hung or stale, and do something about it: restart, last good configuration, alert. A timer runs it every minute, as root.\n\nExample:\n  fleet-sidecar deadman") { config, unit, state };
        command.SetAction(async (arguments, token) =>
        {
            var file = Path.GetFullPath(arguments.GetValue(config) is { Length: > 0 } given ? given : throw new UsageException("--config names no file", "leave it out"));
            using var logs = LoggerFactory.Create(builder => builder.AddFleetLogs(new Redactor(), null, new LogThreshold(LogLevel.Information), "fleet-sidecar-deadman"));
            var tools = new ToolRunner(TimeProvider.System);
            var name = arguments.GetValue(unit) ?? PackagePaths.UnitOf(file) ?? "fleet-sidecar.service";
            await new DeadmanPass(file, name, arguments.GetValue(state), new ServiceUnit(tools), tools, TimeProvider.System, logs).RunAsync(token);
            return ExitCodes.Ok;
        });
        return command;
    }
}
