using System.CommandLine;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Protocol;

namespace FleetSidecar.Cli;

/// <summary>The verbs for agents: they speak for the run whose nonce is in their environment.</summary>
internal static class TaskCommands
{
    public static Command Create()
    {
        var command = new Command("task", "For agents, inside a run: read the task and say how it goes.\n\n"
            + "Examples:\n  fleet-sidecar task show\n  fleet-sidecar task start\n  fleet-sidecar task complete --output \"added the test\"\n  fleet-sidecar task fail --reason \"the build is broken on main\"");
        command.Add(Show());
        command.Add(Say("start", "Say that the task has arrived: the proof of the wake.", null));
        command.Add(Progress());
        command.Add(Say("complete", "Say that the work is done. It is checked and pushed when the agent has ended by itself with 0. The first report of a run stands.", "--output"));
        command.Add(Say("fail", "Say that the work cannot be done.", "--reason", required: true));
        command.Add(Say("handoff", "Say that somebody else should do it.", "--reason", required: true));
        return command;
    }

    private static Command Show()
    {
        var json = new Option<bool>("--json") { Description = "Print the whole task as JSON" };
        var command = new Command("show", "Print the task.") { json };
        command.SetAction(arguments =>
        {
            var file = Variable("FLEET_TASK_FILE");
            var text = File.Exists(file) ? File.ReadAllText(file) : throw new SidecarException($"the task file {file} is gone", "the run is over; stop working on it");
            var task = OutsideJson.Read(text, WireJson.Wire.TaskAssign, out var problem)
                ?? throw new SidecarException($"the task file {file} cannot be read: {problem}", "report it with 'fleet-sidecar task fail'");
            Terminal.Write(arguments.GetValue(json) ? text + "\n" : $"{task.TaskId} (generation {task.Generation ?? 0})\n{task.Description}\n");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Progress()
    {
        var percent = new Option<int?>("--percent") { Description = "How much is done, 0 to 100", HelpName = "N" };
        percent.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out var value) && value is < 0 or > 100)
            {
                result.AddError("--percent must be 0 to 100");
            }
        });
        var message = new Option<string>("--message") { Description = "What is going on, one line", HelpName = "TEXT" };
        var command = new Command("progress", "Say that the work goes on; the hub hears it at most once a minute.") { percent, message };
        command.SetAction((arguments, token) => SendAsync("progress", arguments.GetValue(message), arguments.GetValue(percent), token));
        return command;
    }

    private static Command Say(string action, string description, string? textOption, bool required = false)
    {
        var command = new Command(action, description);
        Option<string>? text = null;
        if (textOption is not null)
        {
            text = new Option<string>(textOption) { Description = "One text; quote it", HelpName = "TEXT", Required = required };
            command.Add(text);
        }

        command.SetAction((arguments, token) => SendAsync(action, text is null ? null : arguments.GetValue(text), null, token));
        return command;
    }

    /// <summary>Speaks for the run that the environment names.</summary>
    public static async Task<int> SendAsync(string action, string? text, int? percent, CancellationToken token)
    {
        var request = new ControlRequest { Verb = "task", Action = action, Nonce = Variable("FLEET_NONCE"), Text = text, Percent = percent };
        try
        {
            var response = await ControlClient.AskAsync(Variable("FLEET_SOCKET"), request, token);
            return response.Ok ? ExitCodes.Ok : throw new SidecarException(response.Error!, response.Hint!);
        }
        catch (DaemonUnavailableException)
        {
            // The agent outlives its sidecar, and so must what it says: the next sidecar reads it from the file.
            var left = OfflineReport.Leave(action, text, Variable("FLEET_RESULTS_DIR"), Variable("FLEET_TASK_ID"));
            Terminal.Complain("fleet-sidecar", "the sidecar is not running", left is null ? "progress is not kept" : $"left the report in {left} for it");
            return ExitCodes.Ok;
        }
    }

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
        ? value
        : throw new UsageException($"{name} is not set", "'fleet-sidecar task' works only inside a run, where the sidecar sets it");
}
