using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Outbox;

/// <summary>What a version 1 hub can be told, and how its answers are to be read. Pure.</summary>
internal static class V1Dialect
{
    /// <summary>The frame for a stored message. Unknown fields pass a version 1 hub; unknown kinds count as violations and are translated.</summary>
    public static byte[]? Translate(OutboxMessage message) =>
        !WireKinds.SidecarV2Only.Contains(message.Kind) ? Encoding.UTF8.GetBytes(message.Payload)
        : Frame.TryRead(Encoding.UTF8.GetBytes(message.Payload), out SidecarMessage? read, out _) && Translate(read) is { } translated ? Frame.Write(translated)
        : null;

    public static SidecarMessage? Translate(SidecarMessage message) => message switch
    {
        SidecarMessage.TaskRejected rejected => new SidecarMessage.TaskFailed
        {
            TaskId = rejected.TaskId, Generation = rejected.Generation ?? 0, Error = $"rejected: {rejected.Reason}", Reason = $"rejected: {rejected.Reason}",
        },
        SidecarMessage.TaskHandoff handoff => new SidecarMessage.TaskFailed
        {
            TaskId = handoff.TaskId, Generation = handoff.Generation, Error = $"handed off: {handoff.Reason}", Reason = $"handed off: {handoff.Reason}",
        },
        SidecarMessage.Heartbeat or SidecarMessage.LogChunk => null,
        _ => message,
    };

    /// <summary>Whether an error answers a message of this kind: <c>task_complete_failed: stale_generation</c> and the like.</summary>
    public static bool Refuses(string code, string kind) => kind switch
    {
        "task_complete" => code.StartsWith("task_complete_failed", StringComparison.Ordinal),
        "task_failed" or "task_handoff" => code.StartsWith("task_fail", StringComparison.Ordinal),
        "task_accepted" => code.StartsWith("task_accepted_failed", StringComparison.Ordinal) || code.StartsWith("task_not", StringComparison.Ordinal),
        _ => false,
    };
}
