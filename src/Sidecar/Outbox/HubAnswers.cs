namespace FleetSidecar.Outbox;

/// <summary>What a hub's answer to one of our messages means, in both versions of the protocol. Pure.</summary>
internal static class HubAnswers
{
    // Any other word is a fault of the hub or of the way: the message is kept and said again.
    private static readonly string[] Over = ["stale_generation", "invalid_state", "not_found", "not_assigned_to_you"];

    /// <summary>Whether a <c>task_ack</c> with this status answers a message of this kind.</summary>
    public static bool Acknowledges(string? status, string kind) =>
        kind == "task_accepted" ? status is null or "accepted" : status != "accepted";

    /// <summary>Whether an error's word says that the attempt no longer counts: <c>task_complete_failed: stale_generation</c>.</summary>
    public static bool IsOver(string code) => Over.Any(word => code.EndsWith(word, StringComparison.Ordinal)) || code.StartsWith("task_not_", StringComparison.Ordinal);
}
