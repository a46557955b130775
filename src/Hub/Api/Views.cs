using System.Text;
using System.Text.Json;
using FleetHub.Tasks;
using FleetSidecar.Protocol;

namespace FleetHub.Api;

/// <summary>The body of <c>POST /api/tasks</c>: the task itself, and how urgent it is.</summary>
internal sealed record NewTask : TaskSpec
{
    public string? Priority { get; init; }
}

internal sealed record TaskCreated(string Status, string TaskId, int Priority, long CreatedAt);

internal sealed record TaskView
{
    public required string Id { get; init; }

    public required string Description { get; init; }

    public JsonElement? Metadata { get; init; }

    public required int Priority { get; init; }

    public required string Status { get; init; }

    public string? AssignedTo { get; init; }

    public long? AssignedAt { get; init; }

    public required long Generation { get; init; }

    public required int RetryCount { get; init; }

    public int? MaxRetries { get; init; }

    public IReadOnlyList<string>? NeededCapabilities { get; init; }

    public string? LastError { get; init; }

    public long? CompleteBy { get; init; }

    public JsonElement? Result { get; init; }

    public JsonElement? VerificationReport { get; init; }

    public long? TokensUsed { get; init; }

    public required string SubmittedBy { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; init; }

    public string? Repo { get; init; }

    public string? Branch { get; init; }

    public IReadOnlyList<string>? DependsOn { get; init; }

    public string? AssignTo { get; init; }

    public IReadOnlyList<HistoryEntry>? History { get; init; }

    public static TaskView Of(TaskRecord task, HubOptions options, IReadOnlyList<HistoryEntry>? history = null) => new()
    {
        Id = task.Id,
        Description = task.Spec.Description ?? "",
        Metadata = task.Spec.Metadata,
        Priority = task.Priority,
        Status = task.Status,
        AssignedTo = task.IsHeld || task.IsFinal ? task.AssignedTo : null,
        AssignedAt = task.AssignedAt,
        Generation = task.Generation,
        RetryCount = task.RetryCount,
        MaxRetries = task.Spec.MaxRetries ?? options.MaxRetries,
        NeededCapabilities = task.Spec.NeededCapabilities,
        LastError = task.LastError,
        CompleteBy = task.Spec.CompleteBy,
        Result = Element(task.Result),
        VerificationReport = Element(task.VerificationReport),
        TokensUsed = task.TokensUsed,
        SubmittedBy = task.SubmittedBy,
        CreatedAt = task.CreatedAt,
        UpdatedAt = task.UpdatedAt,
        Repo = task.Spec.Repo,
        Branch = task.Spec.Branch,
        DependsOn = task.Spec.DependsOn,
        AssignTo = task.Spec.AssignTo,
        History = history,
    };

    private static JsonElement? Element(string? json) => json is null ? null : OutsideJson.Element(Encoding.UTF8.GetBytes(json));
}

internal sealed record TaskList(IReadOnlyList<TaskView> Tasks, int Count);

internal sealed record AgentView
{
    public required string AgentId { get; init; }

    public required string Name { get; init; }

    /// <summary><c>working</c>, <c>idle</c>, <c>unavailable</c> or <c>offline</c>.</summary>
    public required string Status { get; init; }

    public required IReadOnlyList<string> Capabilities { get; init; }

    public long? ConnectedAt { get; init; }

    public required string FsmState { get; init; }

    public int? ProtocolVersion { get; init; }

    public string? Client { get; init; }

    public int? Slots { get; init; }

    public string? UnavailableReason { get; init; }

    public IReadOnlyList<RunReport>? Runs { get; init; }

    public IReadOnlyList<Incident>? Incidents { get; init; }

    public long? LastSeen { get; init; }
}

internal sealed record AgentList(IReadOnlyList<AgentView> Agents);

/// <summary>Something that is wrong, in words, with what to do about it.</summary>
internal sealed record Alert(string Rule, string Severity, string Message, string Hint, bool Acknowledged);

internal sealed record AlertList(IReadOnlyList<Alert> Alerts);

internal sealed record ApiError(string Error, string? Detail = null, string? Hint = null);

internal sealed record Health(string Status, string Version, long Timestamp);

internal sealed record Metrics(IReadOnlyDictionary<string, long> Tasks, int AgentsConnected, int AgentsAvailable, long UptimeSeconds);

internal sealed record DashboardView(IReadOnlyList<AgentView> Agents, IReadOnlyList<TaskView> Tasks, IReadOnlyDictionary<string, long> Counts, IReadOnlyList<Alert> Alerts, long Timestamp);

internal sealed record Registration(string? AgentId);

internal sealed record ProofRequest(string? AgentId = null, bool WakeAgent = false);

internal sealed record Registered(string AgentId, string Token, string HubWsUrl, string HubApiUrl, string? DefaultRepo);
