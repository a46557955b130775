using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Cli;

/// <summary><c>workspaces</c>: what is on disk, what became of the work in it, and when it goes.</summary>
internal static class WorkspacesCommand
{
    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var command = new Command("workspaces", "List the workspaces on this machine: whose they are, whether their work is on the origin, and when they go. Needs no daemon.\n\nExample:\n  fleet-sidecar workspaces --json") { config, set, json };
        command.SetAction(arguments =>
        {
            var config = SidecarCommands.Load(arguments);
            if (!Directory.Exists(config.StateDirectory))
            {
                throw new ConfigurationException($"there is no state directory {config.StateDirectory}", "name the configuration of the daemon with --config, and look as a user who may enter its state directory");
            }

            var found = WorkspaceList.Read(config);
            Terminal.Write(arguments.GetValue(json) ? JsonSerializer.Serialize(found, WorkspaceJson.Default.IReadOnlyListWorkspaceView) + "\n" : Text(found));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string Text(IReadOnlyList<WorkspaceView> found)
    {
        var text = new StringBuilder(found.Count == 0 ? "no workspaces\n" : "");
        foreach (var one in found)
        {
            text.Append($"  {one.RunId}  {one.TaskId}  g{one.Generation}  {one.State.Replace('_', ' ')}");
            text.Append(one.RescueRef is { } name ? $"  {name}" : "");
            text.Append(one.RemovableAtUnixMs is { } at ? $"  until {Output.Time(at)}" : "");
            text.AppendLine(one.Why is { } why ? $"  {why}" : "");
            text.AppendLine($"    {one.Directory}");
        }

        return text.ToString();
    }
}
