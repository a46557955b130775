using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>The frame that gives a task to an agent.</summary>
internal static class Assignments
{
    public static HubMessage.TaskAssign For(TaskRecord task) => new()
    {
        TaskId = task.Id,
        Description = task.Spec.Description,
        Metadata = task.Spec.Metadata,
        Generation = task.Generation,
        AssignedAt = task.AssignedAt,
        Repo = task.Spec.Repo,
        Branch = task.Spec.Branch,
        FileHints = task.Spec.FileHints,
        SuccessCriteria = task.Spec.SuccessCriteria,
        VerificationSteps = task.Spec.VerificationSteps,
        Complexity = task.Spec.ComplexityTier is { } tier ? JsonSerializer.SerializeToElement(new Complexity(tier), HubJson.Compact.Complexity) : null,
        SkipVerification = task.Spec.SkipVerification,
        VerificationTimeoutMs = task.Spec.VerificationTimeoutMs,
        MaxVerificationRetries = task.Spec.MaxVerificationRetries,
    };
}

/// <summary>The submitter's estimate, passed on.</summary>
internal sealed record Complexity(string EffectiveTier);
