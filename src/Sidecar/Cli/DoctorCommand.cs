using System.CommandLine;
using System.Text.Json;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Identity;
using FleetSidecar.Link;
using FleetSidecar.SelfTest;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Cli;

/// <summary><c>doctor</c>: the daemon's own self-test, or, where no daemon answers, the same checks from here.</summary>
internal static class DoctorCommand
{
    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var fix = new Option<bool>("--fix") { Description = "Mend what can be mended without asking" };
        var command = new Command("doctor", "Run the self-test now and say what to do about each failure. Exit code 1 where a check fails.\n\nExample:\n  fleet-sidecar doctor --fix") { fix, config, set, json };
        command.SetAction(async (arguments, token) =>
        {
            var report = await LookAsync(SidecarCommands.Load(arguments), arguments.GetValue(fix), token);
            Terminal.Write(arguments.GetValue(json) ? JsonSerializer.Serialize(report, ControlJson.Pretty.DoctorReport) + "\n" : Output.Doctor(report));
            return report.Passed ? ExitCodes.Ok : ExitCodes.Failed;
        });
        return command;
    }

    private static async Task<DoctorReport> LookAsync(SidecarConfig config, bool fix, CancellationToken token)
    {
        try
        {
            var response = await ControlClient.AskAsync(config.SocketFile, new ControlRequest { Verb = "doctor", Fix = fix }, token);
            return response.Ok ? response.Doctor! : throw new SidecarException(response.Error!, response.Hint!);
        }
        catch (DaemonUnavailableException fault)
        {
            return await LookFromHereAsync(config, fix, new CheckResult("daemon", CheckResult.Failed, fault.Message, fault.Hint), token);
        }
    }

    private static async Task<DoctorReport> LookFromHereAsync(SidecarConfig config, bool fix, CheckResult daemon, CancellationToken token)
    {
        var (time, tools) = (TimeProvider.System, new ToolRunner(TimeProvider.System));
        using var questions = new AgentQuestions(config, tools, units: null);
        ICheck[] checks =
        [
            new StoreCheck(config, store: null, time), new WakeCheck(config, questions, units: null), new GitCheck(config, new Git(tools, config.Workspace)),
            new DiskFloor(config), new TokenCheck(new TokenFile(config.Hub, new Redactor())), new CredentialCheck(config, time), new ResolverCheck(config),
            new IdentityCheck(config, new IdentitySync(config, new Git(tools, config.Workspace), tools, time)),
        ];
        List<string> mended = fix ? [.. checks.Select(check => check.Fix()).OfType<string>()] : [];
        var found = new List<CheckResult> { daemon };
        foreach (var check in checks)
        {
            found.AddRange(await check.RunAsync(token));
        }

        found.AddRange(new[] { ProxyCheck.Look(config.Hub, isUp: false) }.OfType<CheckResult>());
        return new DoctorReport(Passed: false, found, mended);
    }
}
