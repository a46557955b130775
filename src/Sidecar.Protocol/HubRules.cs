namespace FleetSidecar.Protocol;

/// <summary>What a hub's message must satisfy beyond its shape.</summary>
internal static class HubRules
{
    public static string? Check(HubMessage message) => message switch
    {
        HubMessage.TaskAssign assign => CheckAssign(assign),
        HubMessage.TaskAck ack => FieldRules.TaskId(ack.TaskId) ?? FieldRules.Text("message_id", ack.MessageId, WireLimits.MaxName),
        HubMessage.TaskContinue go => FieldRules.TaskId(go.TaskId) ?? FieldRules.Generation(go.Generation),
        HubMessage.TaskReassign gone => FieldRules.TaskId(gone.TaskId),
        HubMessage.TaskCancelled cancelled => FieldRules.TaskId(cancelled.TaskId)
            ?? FieldRules.Generation(cancelled.Generation)
            ?? FieldRules.Text("reason", cancelled.Reason, WireLimits.MaxReason),
        HubMessage.StateReportAck ack => FieldRules.TaskId(ack.TaskId) ?? FieldRules.Generation(ack.Generation),
        HubMessage.Error error => FieldRules.Text("error", error.Code, WireLimits.MaxReason),
        HubMessage.RateLimitWarning warning => FieldRules.Finite("remaining", warning.Remaining)
            ?? FieldRules.Finite("capacity", warning.Capacity),
        HubMessage.Identified or HubMessage.Pong or HubMessage.RestartSidecar or HubMessage.RateLimited
            or HubMessage.Drain or HubMessage.Resume or HubMessage.LogRequest => null,
        _ => throw new InvalidOperationException($"No rule for {message.GetType().Name}."),
    };

    private static string? CheckAssign(HubMessage.TaskAssign assign) =>
        FieldRules.TaskId(assign.TaskId)
        ?? FieldRules.Generation(assign.Generation)
        ?? FieldRules.Text("description", assign.Description, WireLimits.MaxDescription)
        ?? FieldRules.Text("repo", assign.Repo, WireLimits.MaxRepo)
        ?? FieldRules.Text("branch", assign.Branch, WireLimits.MaxName)
        ?? FieldRules.Items("success_criteria", assign.SuccessCriteria, WireLimits.MaxItemText)
        ?? CheckHints(assign.FileHints)
        ?? CheckSteps(assign.VerificationSteps);

    private static string? CheckHints(IReadOnlyList<FileHint>? hints)
    {
        if (hints is null)
        {
            return null;
        }

        return FieldRules.Count("file_hints", hints.Count)
            ?? (hints.Any(hint => hint is null || Long(hint.Path) || Long(hint.Reason)) ? "file_hints holds null or a long entry" : null);
    }

    private static string? CheckSteps(IReadOnlyList<VerificationStep>? steps)
    {
        if (steps is null)
        {
            return null;
        }

        return FieldRules.Count("verification_steps", steps.Count)
            ?? (steps.Any(step => step is null || Long(step.Type) || Long(step.Target) || Long(step.Description))
                ? "verification_steps holds null or a long entry" : null);
    }

    private static bool Long(string? text) => text?.Length > WireLimits.MaxItemText;
}
