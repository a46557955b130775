using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Identity;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Cli;

/// <summary><c>identity seal</c> and <c>identity check</c>. They work with and without a daemon.</summary>
internal static class IdentityCommands
{
    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var seal = new Command("seal", "Record that the identity files in the tree now are this agent's, and keep a copy. Look at them first. Exit code 78 where one is not fit to be sealed.\n\nExample:\n  fleet-sidecar identity seal") { config, set, json };
        seal.SetAction(arguments =>
        {
            var report = Of(arguments).Seal();
            Terminal.Write(arguments.GetValue(json) ? Json(report) : $"sealed {report.Files.Count} files of {report.Agent} in {report.Tree}\n{string.Concat(report.Files.Select(file => $"sealed   {file.Rule,-7} {GitNames.Escape(file.Path)}\n"))}");
            return ExitCodes.Ok;
        });
        var check = new Command("check", "Judge every source of every identity file: live, backup, sealed copy. Exit code 78 where a live file is not this agent's, 1 where one cannot be judged now.\n\nExample:\n  fleet-sidecar identity check --json") { config, set, json };
        check.SetAction(arguments =>
        {
            var report = Of(arguments).Check();
            Terminal.Write(arguments.GetValue(json) ? Json(report) : Lines(report));
            return report.Ours ? ExitCodes.Ok : report.Files.Any(file => file.Sources[0].State is IdentitySource.Foreign or IdentitySource.Missing) ? ExitCodes.Config : ExitCodes.Failed;
        });
        return new Command("identity", "Seal and check the files that are this agent's alone.") { seal, check };
    }

    /// <summary>The one code path that the daemon uses too.</summary>
    /// <exception cref="ConfigurationException">No tree is configured.</exception>
    public static IdentitySync Of(ParseResult arguments)
    {
        var config = SidecarCommands.Load(arguments);
        var tools = new ToolRunner(TimeProvider.System);
        return config.Identity.Tree.Length > 0 ? new IdentitySync(config, new Git(tools, config.Workspace), tools, TimeProvider.System)
            : throw new ConfigurationException("identity.tree is not configured", "name the tree and its identity files in section identity; see docs/identity.md");
    }

    private static string Json(IdentityReport report) => JsonSerializer.Serialize(report, IdentityJson.Default.IdentityReport) + "\n";

    private static string Lines(IdentityReport report)
    {
        var text = new StringBuilder();
        foreach (var file in report.Files)
        {
            foreach (var source in file.Sources)
            {
                text.AppendLine($"{(source.State == IdentitySource.Ours ? "ours" : source.State.ToUpperInvariant()),-10} {source.Place,-7} {GitNames.Escape(file.Path)}{(source.Detail.Length > 0 ? $": {GitNames.Escape(source.Detail)}" : "")}");
            }
        }

        return text.Append(report.Unfinished ? "a sync is under way or was cut short; 'fleet-sidecar sync' finishes it\n" : "").ToString();
    }
}
