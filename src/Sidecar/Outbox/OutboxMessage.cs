namespace FleetSidecar.Outbox;

/// <summary>One message that the hub must hear, as stored. The payload is the exact JSON that is sent.</summary>
internal sealed record OutboxMessage(string MessageId, string RunId, string TaskId, string Kind, string Payload, long CreatedAtUnixMs)
{
    public bool IsFinal => Kind is "task_complete" or "task_failed" or "task_handoff";
}
