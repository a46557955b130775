using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FleetHub.Api;
using FleetHub.Tasks;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Cli;

/// <summary><c>fleet-hub task add|list|show|cancel|retry</c>.</summary>
internal static class TaskCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };

    public static Command Create()
    {
        var command = new Command("task", "Submit and look after tasks.\n\nExamples:\n"
            + "  fleet-hub task add --description \"add a README\" --repo https://git.example/app.git\n"
            + "  fleet-hub task list --status dead_letter\n  fleet-hub task show task-0123456789abcdef") { Add(), List(), Show() };
        command.Add(Act("cancel", "Cancel a task; an agent that works on it is told to stop."));
        command.Add(Act("retry", "Queue a task again that is a dead letter, cancelled, or waiting for its retry."));
        return command;
    }

    private static Command Add()
    {
        var description = new Option<string>("--description") { Description = "What to do", Required = true, HelpName = "TEXT" };
        var repo = new Option<string>("--repo") { Description = "Repository to work in", HelpName = "URL" };
        var branch = new Option<string>("--branch") { Description = "Branch to start from (default: the repository's default branch)", HelpName = "NAME" };
        var priority = new Option<string>("--priority") { Description = "urgent, high, normal or low", DefaultValueFactory = _ => "normal", HelpName = "P" };
        var needs = new Option<string[]>("--needs") { Description = "A capability that the agent must have; may be given more than once", HelpName = "CAP" };
        var assignTo = new Option<string>("--assign-to") { Description = "Give it to this agent only", HelpName = "AGENT" };
        var dependsOn = new Option<string[]>("--depends-on") { Description = "A task that must be completed first; may be given more than once", HelpName = "ID" };
        var maxRetries = new Option<int?>("--max-retries") { Description = "Attempts after the first one, 0 to 100 (default 3)", HelpName = "N" };
        var command = Common("add", "Submit a task. Prints its id.\n\nExample:\n  fleet-hub task add --description \"add a README\" --repo https://git.example/app.git --needs code");
        foreach (var option in new Option[] { description, repo, branch, priority, needs, assignTo, dependsOn, maxRetries })
        {
            command.Add(option);
        }

        command.SetAction(async (arguments, token) =>
        {
            var task = new NewTask
            {
                Description = arguments.GetValue(description), Repo = arguments.GetValue(repo), Branch = arguments.GetValue(branch), Priority = arguments.GetValue(priority),
                NeededCapabilities = arguments.GetValue(needs) is { Length: > 0 } caps ? caps : null, AssignTo = arguments.GetValue(assignTo),
                DependsOn = arguments.GetValue(dependsOn) is { Length: > 0 } ids ? ids : null, MaxRetries = arguments.GetValue(maxRetries),
            };
            if (NewTaskRules.Complaint(task) is { } complaint)
            {
                throw new UsageException(complaint, "see 'fleet-hub task add --help'");
            }

            var created = await HubClient.AskAsync(arguments, HttpMethod.Post, "/api/tasks", task, HubJson.Compact.NewTask, HubJson.Compact.TaskCreated, token);
            Print(arguments, created, HubJson.Pretty.TaskCreated, () => created.TaskId + "\n");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command List()
    {
        var status = new Option<string>("--status") { Description = $"Only these: {string.Join(", ", TaskStatus.All)}", HelpName = "STATUS" };
        status.AcceptOnlyFromAmong([.. TaskStatus.All]);
        var command = Common("list", "List tasks, newest change first.\n\nExample:\n  fleet-hub task list --status dead_letter --json");
        command.Add(status);
        command.SetAction(async (arguments, token) =>
        {
            var query = arguments.GetValue(status) is { } wanted ? $"?status={wanted}" : "";
            var list = await AskAsync(arguments, HttpMethod.Get, $"/api/tasks{query}", HubJson.Compact.TaskList, token);
            Print(arguments, list, HubJson.Pretty.TaskList, () => list.Count == 0 ? "no tasks\n" : string.Concat(list.Tasks.Select(Line)));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show()
    {
        var id = Id();
        var raw = new Option<bool>("--raw") { Description = "Print the texts of the task as they are; a terminal acts on the control characters in them" };
        var command = Common("show", "Show one task with its history. Characters that a terminal would act on are shown as \\u001b and the like.");
        command.Add(id);
        command.Add(raw);
        command.SetAction(async (arguments, token) =>
        {
            var task = await AskAsync(arguments, HttpMethod.Get, $"/api/tasks/{Uri.EscapeDataString(arguments.GetValue(id)!)}", HubJson.Compact.TaskView, token);
            var text = arguments.GetValue(Json) ? JsonSerializer.Serialize(task, HubJson.Pretty.TaskView) + "\n" : Whole(task);
            (arguments.GetValue(raw) ? (Action<string>)Terminal.WriteRaw : Terminal.Write)(text);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string Whole(TaskView task)
    {
        var text = new StringBuilder(Line(task)).Append($"  {Below(task.Description)}\n");
        text.Append(task.Result is { } result ? $"  result {Below(result.ToString())}\n" : "");
        text.Append(task.LastError is { } error ? $"  last error {Below(error)}\n" : "");
        foreach (var entry in (task.History ?? []).Reverse())
        {
            text.Append($"  {Clock(entry.Timestamp)}  {entry.Event,-14} {Below(entry.Details ?? "")}\n");
        }

        return text.ToString();
    }

    // What a task or an agent wrote over several lines must not look like a line of the history.
    private static string Below(string text) => Visible.Indented(text, "        | ");

    private static Command Act(string verb, string description)
    {
        var id = Id();
        var command = Common(verb, description);
        command.Add(id);
        command.SetAction(async (arguments, token) =>
        {
            var task = await AskAsync(arguments, HttpMethod.Post, $"/api/tasks/{Uri.EscapeDataString(arguments.GetValue(id)!)}/{verb}", HubJson.Compact.TaskView, token);
            Print(arguments, task, HubJson.Pretty.TaskView, () => Line(task));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Common(string name, string description) => new(name, description) { HubClient.Hub, HubClient.TokenFile, HubStore.Data, Json };

    private static Argument<string> Id() => new("ID") { Description = "The task's id" };

    private static Task<T> AskAsync<T>(ParseResult arguments, HttpMethod method, string path, JsonTypeInfo<T> shape, CancellationToken token)
        where T : class =>
        HubClient.AskAsync<T, object>(arguments, method, path, null, null, shape, token);

    private static void Print<T>(ParseResult arguments, T value, JsonTypeInfo<T> pretty, Func<string> human) =>
        Terminal.Write(arguments.GetValue(Json) ? JsonSerializer.Serialize(value, pretty) + "\n" : human());

    private static string Line(TaskView task) =>
        $"{task.Id}  {task.Status,-11}  {Priorities.Word(task.Priority),-6}  g{task.Generation}  {task.AssignedTo ?? "-"}  {FleetSidecar.Protocol.Printable.Cut(task.Description, 60)}\n";

    private static string Clock(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
