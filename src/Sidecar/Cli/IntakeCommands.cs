using System.CommandLine;
using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Cli;

/// <summary>The verbs that open and close the door for work: <c>pause</c>, <c>drain</c>, <c>resume</c>.</summary>
internal static class IntakeCommands
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30), Poll = TimeSpan.FromMilliseconds(500);

    public static Command Pause(Option<string> config, Option<string[]> set)
    {
        var length = new Option<string>("--for") { Description = "How long, as hh:mm:ss or 90s, 15m, 2h, 1d; until 'resume' where absent", HelpName = "TIME" };
        var reason = new Option<string>("--reason") { Description = "Why, for whoever finds it paused", HelpName = "TEXT", Required = true };
        var command = new Command("pause", "Take no new work; what runs goes on. Survives restarts.\n\nExample:\n  fleet-sidecar pause --for 2h --reason \"disk is being moved\"") { length, reason, config, set };
        command.SetAction(async (arguments, token) =>
        {
            await AskAsync(arguments, new ControlRequest { Verb = "pause", Seconds = Seconds(arguments.GetValue(length), "--for", least: 1), Text = arguments.GetValue(reason) }, token);
            Terminal.Write($"paused{(arguments.GetValue(length) is { } given ? $" for {given}" : "")}; 'fleet-sidecar resume' ends it\n");
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Drain(Option<string> config, Option<string[]> set, TimeProvider time)
    {
        var deadline = new Option<string>("--deadline") { Description = "Stop what still runs after this time; never where absent", HelpName = "TIME" };
        var reason = new Option<string>("--reason") { Description = "Why, for status and the hub", HelpName = "TEXT" };
        var wait = new Option<bool>("--wait") { Description = "Come back when nothing runs any more" };
        var command = new Command("drain", "Take no new work and let what runs end; holds until 'resume', restarts included. Workspaces are kept.\n\nExample:\n  fleet-sidecar drain --deadline 30m --wait") { deadline, reason, wait, config, set };
        command.SetAction(async (arguments, token) =>
        {
            await AskAsync(arguments, new ControlRequest { Verb = "drain", Seconds = Seconds(arguments.GetValue(deadline), "--deadline"), Text = arguments.GetValue(reason) }, token);
            Terminal.Write("draining; 'fleet-sidecar resume' ends it\n");
            var left = -1;
            while (arguments.GetValue(wait))
            {
                var status = (await AskAsync(arguments, new ControlRequest { Verb = "status" }, token)).Status!;
                if (status.SlotsTaken != left)
                {
                    left = status.SlotsTaken;
                    Terminal.Write(left == 0 ? "nothing runs any more\n" : $"{left} still running\n");
                }

                if (left == 0)
                {
                    break;
                }

                await Task.Delay(Poll, time, token);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Resume(Option<string> config, Option<string[]> set)
    {
        var command = new Command("resume", "Take work again: ends a pause, a drain and safe mode.\n\nExample:\n  fleet-sidecar resume") { config, set };
        command.SetAction(async (arguments, token) =>
        {
            await AskAsync(arguments, new ControlRequest { Verb = "resume" }, token);
            var status = (await AskAsync(arguments, new ControlRequest { Verb = "status" }, token)).Status!;
            Terminal.Write(status.Available ? "taking work again\n" : $"resumed, but still taking no work: {status.UnavailableReason}\n");
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>A length of time as people write it, in whole seconds; null where none was given.</summary>
    /// <exception cref="UsageException">It is no length of time, or longer than 30 days.</exception>
    public static long? Seconds(string? text, string option, long least = 0)
    {
        if (text is null)
        {
            return null;
        }

        var unit = text.Length > 1 ? text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 } : 0;
        var seconds = unit > 0 && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= Longest.TotalSeconds ? count * unit
            : DurationConverter.TryParse(text) is { } span ? (long)span.TotalSeconds
            : -1;
        return seconds >= least && seconds <= Longest.TotalSeconds ? seconds
            : throw new UsageException($"{option} '{text}' is not a length of time from {least} s to 30 days", "write 90s, 15m, 2h, 1d or hh:mm:ss");
    }

    private static Task<ControlResponse> AskAsync(ParseResult arguments, ControlRequest request, CancellationToken token) => SidecarCommands.AskAsync(arguments, request, token);
}
