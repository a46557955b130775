using FleetHub.Agents;
using FleetHub.Tasks;
using FleetHub.Tokens;
using FleetSidecar.Protocol;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Api;

/// <summary><c>/api/tasks</c>: AgentCom's names and shapes.</summary>
internal static class TaskEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var tasks = routes.MapGroup("/api/tasks").RequireRole(TokenStore.Operator);
        tasks.MapPost("", AddAsync);
        tasks.MapGet("", List);
        tasks.MapGet("/dead-letter", (TaskQueue queue, HubOptions options) => Answer(queue.List(TaskStatus.DeadLetter), options));
        tasks.MapGet("/stats", (TaskQueue queue) => Answers.Ok(queue.Counts(), HubJson.Compact.DictionaryStringInt64));
        tasks.MapGet("/{id}", Show);
        tasks.MapPost("/{id}/retry", (HttpContext context, string id, TaskQueue queue, HubOptions options) =>
            ChangeAsync(queue, options, id, "not_retryable", (task, now) => TaskRules.Retry(task, BearerGate.OwnerOf(context), now)));
        tasks.MapPost("/{id}/cancel", CancelAsync);
    }

    private static async Task<IResult> AddAsync(HttpContext context, TaskQueue queue, HubOptions options)
    {
        if (await Answers.ReadAsync(context, HubJson.Body.NewTask) is not { } task)
        {
            return Answers.Error(StatusCodes.Status400BadRequest, "invalid_json", "the body must be one JSON object with the fields of docs/protocol.md");
        }

        if ((NewTaskRules.Complaint(task) ?? NewTaskRules.LocalComplaint(task, options)) is { } complaint)
        {
            return Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", complaint);
        }

        if (queue.FirstUnknown(task.DependsOn ?? []) is { } unknown)
        {
            return Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", $"depends_on names {unknown}, which does not exist");
        }

        if (Assignments.Complaint(task) is { } unsendable)
        {
            return Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", unsendable);
        }

        var added = await queue.AddAsync(task, Priorities.Parse(task.Priority ?? "normal")!.Value, BearerGate.OwnerOf(context));
        return Answers.Ok(new TaskCreated(added.Status, added.Id, added.Priority, added.CreatedAt), HubJson.Compact.TaskCreated, StatusCodes.Status201Created);
    }

    private static IResult List(HttpContext context, TaskQueue queue, HubOptions options)
    {
        var query = context.Request.Query;
        var status = query["status"].FirstOrDefault();
        if (status is not null && !TaskStatus.All.Contains(status))
        {
            return Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", $"status must be one of {string.Join(", ", TaskStatus.All)}");
        }

        var word = query["priority"].FirstOrDefault();
        var priority = word is null ? null : Priorities.Parse(word);
        return word is not null && priority is null
            ? Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", "priority must be urgent, high, normal or low")
            : Answer(queue.List(status, priority, query["assigned_to"].FirstOrDefault()), options);
    }

    private static IResult Show(string id, TaskQueue queue, HubOptions options) => queue.Show(id) is { } found
        ? Answers.Ok(TaskView.Of(found.Task, options, found.History), HubJson.Compact.TaskView)
        : Answers.NotFound();

    private static async Task<IResult> CancelAsync(HttpContext context, string id, TaskQueue queue, AgentRegistry agents, HubOptions options)
    {
        var (found, change, before) = await queue.ChangeAsync(id, (task, now) => TaskRules.Cancel(task, BearerGate.OwnerOf(context), now));
        if (change is not null && before is { IsHeld: true, AssignedTo: { } agent })
        {
            // An agent that is away hears it when it reports the run: the answer is then abort.
            agents.Find(agent)?.Send(new HubMessage.TaskCancelled { TaskId = id, Generation = before.Generation, Reason = $"cancelled by {BearerGate.OwnerOf(context)}" });
        }

        return !found ? Answers.NotFound() : change is null ? Answers.Error(StatusCodes.Status409Conflict, "already_final", $"the task is {before!.Status}")
            : Answers.Ok(TaskView.Of(change.Task, options), HubJson.Compact.TaskView);
    }

    private static async Task<IResult> ChangeAsync(TaskQueue queue, HubOptions options, string id, string refusal, Func<TaskRecord, long, TaskChange?> decide)
    {
        var (found, change, before) = await queue.ChangeAsync(id, decide);
        return !found ? Answers.NotFound() : change is null ? Answers.Error(StatusCodes.Status409Conflict, refusal, $"the task is {before!.Status}")
            : Answers.Ok(TaskView.Of(change.Task, options), HubJson.Compact.TaskView);
    }

    private static IResult Answer(List<TaskRecord> tasks, HubOptions options) =>
        Answers.Ok(new TaskList([.. tasks.Select(task => TaskView.Of(task, options))], tasks.Count), HubJson.Compact.TaskList);
}
