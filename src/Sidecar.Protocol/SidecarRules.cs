namespace FleetSidecar.Protocol;

/// <summary>What a sidecar's message must satisfy beyond its shape.</summary>
internal static class SidecarRules
{
    public static string? Check(SidecarMessage message) => message switch
    {
        SidecarMessage.Identify identify => CheckIdentify(identify),
        SidecarMessage.TaskAccepted accepted => Task(accepted.TaskId, accepted.Generation, accepted.MessageId),
        SidecarMessage.TaskProgress progress => Task(progress.TaskId, progress.Generation, null)
            ?? FieldRules.Text("message", progress.Message, WireLimits.MaxReason),
        SidecarMessage.TaskComplete complete => Task(complete.TaskId, complete.Generation, complete.MessageId)
            ?? FieldRules.NotNegative("tokens_used", complete.TokensUsed)
            ?? CheckNumbers(complete.Result)
            ?? FieldRules.Text("result.output", complete.Result?.Output, WireLimits.MaxResultOutput)
            ?? FieldRules.Items("result.diff.paths", complete.Result?.Diff?.Paths, WireLimits.MaxItemText)
            ?? FieldRules.Text("result.pull_request", complete.Result?.PullRequest, WireLimits.MaxRepo)
            ?? FieldRules.Text("result.pull_request_state", complete.Result?.PullRequestState, WireLimits.MaxName),
        SidecarMessage.TaskFailed failed => Task(failed.TaskId, failed.Generation, failed.MessageId)
            ?? FieldRules.Text("error", failed.Error, WireLimits.MaxReason)
            ?? FieldRules.Text("reason", failed.Reason, WireLimits.MaxReason)
            ?? FieldRules.Text("last_output", failed.LastOutput, WireLimits.MaxReason)
            ?? FieldRules.Text("reported.status", failed.Reported?.Status, WireLimits.MaxName)
            ?? FieldRules.Text("reported.output", failed.Reported?.Output, WireLimits.MaxResultOutput),
        SidecarMessage.TaskRecovering recovering => FieldRules.TaskId(recovering.TaskId),
        SidecarMessage.StateReport report => Task(report.TaskId, report.Generation, null)
            ?? FieldRules.Needed("status", report.Status, WireLimits.MaxName),
        SidecarMessage.WakeResult wake => Task(wake.TaskId, wake.Generation, wake.MessageId)
            ?? FieldRules.Needed("status", wake.Status, WireLimits.MaxName)
            ?? FieldRules.Text("level", wake.Level, WireLimits.MaxName)
            ?? FieldRules.Text("profile", wake.Profile, WireLimits.MaxName)
            ?? FieldRules.Text("wake_id", wake.WakeId, WireLimits.MaxName)
            ?? FieldRules.Text("error", wake.Error, WireLimits.MaxReason)
            ?? FieldRules.Text("last_output", wake.LastOutput, WireLimits.MaxReason),
        SidecarMessage.TaskRejected rejected => Task(rejected.TaskId, rejected.Generation, rejected.MessageId)
            ?? FieldRules.Needed("reason", rejected.Reason, WireLimits.MaxName),
        SidecarMessage.TaskHandoff handoff => Task(handoff.TaskId, handoff.Generation, handoff.MessageId)
            ?? FieldRules.Needed("reason", handoff.Reason, WireLimits.MaxReason)
            ?? FieldRules.Items("needed_capabilities", handoff.NeededCapabilities, WireLimits.MaxName),
        SidecarMessage.Heartbeat heartbeat => CheckHeartbeat(heartbeat),
        SidecarMessage.LogChunk chunk => FieldRules.Text("text", chunk.Text, WireLimits.MaxResultOutput),
        SidecarMessage.ResourceReport report => FieldRules.Finite("cpu_percent", report.CpuPercent),
        SidecarMessage.Ping => null,
        _ => throw new InvalidOperationException($"No rule for {message.GetType().Name}."),
    };

    private static string? Task(string taskId, long? generation, string? messageId) =>
        FieldRules.TaskId(taskId)
        ?? FieldRules.Generation(generation)
        ?? FieldRules.Text("message_id", messageId, WireLimits.MaxName);

    private static string? CheckNumbers(TaskResult? result) =>
        FieldRules.NotNegative("result.commits_ahead", result?.CommitsAhead)
        ?? (result?.CostUsd < 0 ? "result.cost_usd is below zero" : null)
        ?? FieldRules.NotNegative("result.diff.files", result?.Diff?.Files)
        ?? FieldRules.NotNegative("result.diff.insertions", result?.Diff?.Insertions)
        ?? FieldRules.NotNegative("result.diff.deletions", result?.Diff?.Deletions)
        ?? FieldRules.NotNegative("result.diff.deleted_files", result?.Diff?.DeletedFiles);

    private static string? CheckIdentify(SidecarMessage.Identify identify) =>
        FieldRules.Needed("agent_id", identify.AgentId, WireLimits.MaxAgentId)
        ?? FieldRules.Needed("token", identify.Token, WireLimits.MaxToken)
        ?? FieldRules.Text("name", identify.Name, WireLimits.MaxName)
        ?? FieldRules.Text("status", identify.Status, WireLimits.MaxName)
        ?? FieldRules.Text("instance_id", identify.InstanceId, WireLimits.MaxName)
        ?? FieldRules.Items("capabilities", identify.Capabilities, WireLimits.MaxName);

    private static string? CheckHeartbeat(SidecarMessage.Heartbeat heartbeat) =>
        FieldRules.Needed("state", heartbeat.State, WireLimits.MaxName)
        ?? FieldRules.Finite("resources.load1", heartbeat.Resources?.Load1)
        ?? FieldRules.Count("runs", heartbeat.Runs.Count)
        ?? (heartbeat.Slots is < 0 or > 64 ? "slots must be 0 to 64" : null)
        ?? heartbeat.Runs.Select(run => run is null ? "runs holds null" : Task(run.TaskId, run.Generation, null))
            .FirstOrDefault(complaint => complaint is not null)
        ?? FieldRules.Count("incidents", heartbeat.Incidents?.Count ?? 0)
        ?? FieldRules.Count("deadlines_seconds", heartbeat.DeadlinesSeconds?.Count ?? 0);
}
