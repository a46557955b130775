namespace FleetHub.Tasks;

/// <summary>What a message of an agent is about: kind, task, attempt, and the id by which a repetition is known.</summary>
/// <param name="What">The kind, as in the error that answers it: <c>task_complete</c>, <c>task_fail</c>.</param>
/// <param name="TaskId">The task.</param>
/// <param name="Generation">The attempt; null means the one that the agent holds.</param>
/// <param name="MessageId">Null where the message is not to be known again.</param>
internal sealed record TaskMessage(string What, string TaskId, long? Generation, string? MessageId = null)
{
    /// <summary>Whether an answer that was given under this message id was given to a message of this kind.</summary>
    /// <remarks>A sidecar that uses one id for two kinds must not lose its outcome to the answer of its acceptance.</remarks>
    public bool Fits(string answer) => What switch
    {
        "task_accepted" => answer == "accepted",
        "wake_result" => answer == "noted",
        "task_handoff" => answer == "requeued",
        _ => answer is "complete" or "retried" or "dead_letter",
    };
}
