using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Reload;

namespace FleetSidecar.Cli;

/// <summary><c>reload</c>: what SIGHUP does, with an answer.</summary>
internal static class ReloadCommand
{
    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var command = new Command("reload", "Have the daemon read its configuration again and say what changed and what needs a restart. Exit code 78 where the files are wrong; the old configuration then stays in force.\n\nExample:\n  fleet-sidecar reload") { config, set, json };
        command.SetAction(async (arguments, token) =>
        {
            // The files may be wrong, which is for the daemon to say: only where its socket is has to be known.
            var report = (await SidecarCommands.AskAsync(arguments, new ControlRequest { Verb = "reload" }, token)).Reload!;
            if (arguments.GetValue(json))
            {
                Terminal.Write(JsonSerializer.Serialize(report, ControlJson.Pretty.ReloadReport) + "\n");
            }
            else if (report.Problem is null)
            {
                Terminal.Write(Lines(report));
            }

            if (report.Problem is { } problem)
            {
                Terminal.Complain("fleet-sidecar", $"not reloaded: {problem}", $"{report.Hint}. The old configuration stays in force");
            }

            return report.Problem is null ? ExitCodes.Ok : ExitCodes.Config;
        });
        return command;
    }

    private static string Lines(ReloadReport report)
    {
        var text = new StringBuilder();
        foreach (var change in report.Changed)
        {
            text.AppendLine($"{change.Effect,-9} {change.Key}");
        }

        foreach (var key in report.NeedsRestart)
        {
            text.AppendLine($"{TakesEffect.Restart,-9} {key}  (the old value stays in force until then)");
        }

        return text.Length == 0 ? "read again; nothing changed\n" : text.ToString();
    }
}
