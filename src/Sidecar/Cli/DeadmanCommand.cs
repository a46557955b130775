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
        var all = new Option<bool>("--all") { Description = "Look at the daemon of this machine and at all its instances" };
        var command = new Command("deadman", "Look once whether the daemon is dead, hung or stale, and do something about it: restart, last good configuration, alert. A timer runs it every minute, as root.\n\nExample:\n  fleet-sidecar deadman") { config, unit, state, all };
        command.SetAction(async (arguments, token) =>
        {
            var file = Path.GetFullPath(arguments.GetValue(config) is { Length: > 0 } given && !given.Contains('\0', StringComparison.Ordinal) ? given : throw new UsageException("--config names no file", "leave it out"));
            if (arguments.GetValue(all) && (arguments.GetValue(unit) ?? arguments.GetValue(state)) is not null)
            {
                throw new UsageException("--unit and --state are for one daemon, --all is for every one", "leave --all out");
            }

            using var logs = LoggerFactory.Create(builder => builder.AddFleetLogs(new Redactor(), null, new LogThreshold(LogLevel.Information), "fleet-sidecar-deadman"));
            var tools = new ToolRunner(TimeProvider.System);
            Task<int> Pass(string one) => PassAsync(one, arguments.GetValue(unit) ?? PackagePaths.UnitOf(one) ?? throw new UsageException($"{one} is the configuration of no unit of the package", "name the unit that runs with it: --unit NAME"), arguments.GetValue(state), tools, logs, token);

            // Side by side: one that takes its time to start must not cost another its turn.
            return arguments.GetValue(all) ? (await Task.WhenAll(Instances().Prepend(file).Select(Pass))).Max() : await Pass(file);
        });
        return command;
    }

    // What is no instance, a copy somebody keeps there, must not cost the others their look.
    private static IEnumerable<string> Instances() => Directory.Exists(PackagePaths.InstancesDirectory)
        ? Directory.GetDirectories(PackagePaths.InstancesDirectory).Order(StringComparer.Ordinal).Select(instance => Path.Combine(instance, "sidecar.json")).Where(file => PackagePaths.UnitOf(file) is not null) : [];

    private static Task<int> PassAsync(string file, string unit, string? state, ToolRunner tools, ILoggerFactory logs, CancellationToken token) => CommandRunner.GuardAsync("fleet-sidecar", async () =>
    {
        var pass = new DeadmanPass(file, unit, state, new ServiceUnit(tools), tools, TimeProvider.System, logs);
        try
        {
            await pass.RunAsync(token);
        }
        catch (SidecarException fault)
        {
            pass.LogFault(fault);
            throw;
        }

        return ExitCodes.Ok;
    }, _ => null);
}
