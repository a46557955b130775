using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>The frame that gives a task to an agent.</summary>
internal static class Assignments
{
    // A page of tasks, a scheduler's look and an answer hold several: none may be as large as the wire allows.
    private const int LargestTask = WireLimits.MaxFrameBytes / 2;

    // As long as these can get on the wire.
    private const long LongestGeneration = long.MaxValue / 2, LongestTime = long.MaxValue / 2;

    public static HubMessage.TaskAssign For(TaskRecord task) => Of(task.Spec, task.Id, task.Generation, task.AssignedAt);

    /// <summary>Why no agent could be given this, though each field is fine; null where one can (L38).</summary>
    public static string? Complaint(TaskSpec spec)
    {
        try
        {
            var frame = Frame.Write(Of(spec, "task-0000000000000000", LongestGeneration, LongestTime));
            if (frame.Length > LargestTask)
            {
                return $"the assignment would be a frame of {frame.Length} bytes on the wire; the limit is {LargestTask}, half of what a frame may hold";
            }

            return Frame.TryRead(frame, out HubMessage? _, out var refusal) ? null : $"no sidecar would take the assignment: {refusal.Detail}";
        }
        catch (Exception unwritable) when (unwritable is JsonException or InvalidOperationException or ArgumentException)
        {
            return "the text cannot be written as JSON: it holds half of a surrogate pair";
        }
    }

    private static HubMessage.TaskAssign Of(TaskSpec spec, string id, long generation, long? assignedAt) => new()
    {
        TaskId = id,
        Description = spec.Description,
        Metadata = spec.Metadata,
        Generation = generation,
        AssignedAt = assignedAt,
        Repo = spec.Repo,
        Branch = spec.Branch,
        FileHints = spec.FileHints,
        SuccessCriteria = spec.SuccessCriteria,
        VerificationSteps = spec.VerificationSteps,
        Complexity = spec.ComplexityTier is { } tier ? JsonSerializer.SerializeToElement(new Complexity(tier), HubJson.Compact.Complexity) : null,
        SkipVerification = spec.SkipVerification,
        VerificationTimeoutMs = spec.VerificationTimeoutMs,
        MaxVerificationRetries = spec.MaxVerificationRetries,
    };
}

/// <summary>The submitter's estimate, passed on.</summary>
internal sealed record Complexity(string EffectiveTier);
