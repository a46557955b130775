using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Supervise;

namespace FleetSidecar.Cli;

/// <summary><c>supervise list</c> and <c>supervise retry</c>: what is kept alive beside the runs.</summary>
internal static class SuperviseCommands
{
    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var list = new Command("list", "Show every member: whether it runs, how often it was started, when it is tried next.\n\nExample:\n  fleet-sidecar supervise list --json") { config, set, json };
        list.SetAction(async (arguments, token) =>
        {
            var members = (await SidecarCommands.AskAsync(arguments, new ControlRequest { Verb = "supervise" }, token)).Members!;
            Terminal.Write(arguments.GetValue(json) ? JsonSerializer.Serialize(members, ControlJson.Pretty.IReadOnlyListMemberView) + "\n"
                : members.Count == 0 ? "no members; name them in section supervise\n" : Lines(members, ""));
            return ExitCodes.Ok;
        });
        var name = new Argument<string>("NAME") { Description = "The member" };
        var retry = new Command("retry", "Start a member that was given up, or waits for its next start, now; its starts are counted anew.\n\nExample:\n  fleet-sidecar supervise retry gateway") { name, config, set };
        retry.SetAction(async (arguments, token) =>
        {
            await SidecarCommands.AskAsync(arguments, new ControlRequest { Verb = "supervise", Action = "retry", Text = arguments.GetValue(name) }, token);
            Terminal.Write($"{arguments.GetValue(name)} is started again; 'fleet-sidecar supervise list' shows how it goes\n");
            return ExitCodes.Ok;
        });
        return new Command("supervise", "Look at the processes, panes and units that are kept alive beside the runs.") { list, retry };
    }

    /// <summary>One line a member.</summary>
    public static string Lines(IReadOnlyList<MemberView> members, string head)
    {
        var text = new StringBuilder();
        foreach (var member in members)
        {
            text.Append($"{head}{member.Name}  {(member.State == MemberCondition.Running ? "running" : member.State.ToUpperInvariant())}  {member.Kind}");
            text.Append(member.Pid is { } pid ? $"  pid {pid}" : "");
            text.Append(member.SinceUnixMs is { } since ? $"  since {Output.Time(since)}" : "");
            text.Append(member.Starts > 0 ? $"  {member.Starts} of {member.MostStarts} starts" : "");
            text.Append(member.HeartbeatStale ? "  HEARTBEAT STALE" : "");
            text.Append(member.NextTryUnixMs is { } next ? $"  next try {Output.Time(next)}" : "");
            text.AppendLine(member.Detail is { } detail ? $"  {detail}" : "");
        }

        return text.ToString();
    }
}
