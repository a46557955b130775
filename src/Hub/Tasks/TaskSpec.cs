using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetHub.Tasks;

/// <summary>What was asked for, as submitted. Never changes after that.</summary>
internal record TaskSpec
{
    /// <summary>Never empty once accepted; <see cref="FleetHub.Api.NewTaskRules"/> sees to it.</summary>
    public string? Description { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<string>? NeededCapabilities { get; init; }

    public string? Repo { get; init; }

    public string? Branch { get; init; }

    public int? MaxRetries { get; init; }

    /// <summary>Unix milliseconds by which it should be done; overdue shows as a problem.</summary>
    public long? CompleteBy { get; init; }

    public IReadOnlyList<FileHint>? FileHints { get; init; }

    public IReadOnlyList<string>? SuccessCriteria { get; init; }

    public IReadOnlyList<VerificationStep>? VerificationSteps { get; init; }

    public string? ComplexityTier { get; init; }

    public bool? SkipVerification { get; init; }

    public long? VerificationTimeoutMs { get; init; }

    public int? MaxVerificationRetries { get; init; }

    public IReadOnlyList<string>? DependsOn { get; init; }

    public string? AssignTo { get; init; }
}
