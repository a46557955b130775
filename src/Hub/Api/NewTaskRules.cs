using FleetHub.Tasks;
using FleetSidecar.Protocol;

namespace FleetHub.Api;

/// <summary>Checks what was submitted before anything is stored: what is accepted here can be sent to an agent whole.</summary>
internal static class NewTaskRules
{
    private const long LongestVerificationMs = 7L * 24 * 60 * 60 * 1000;

    /// <summary>The first thing that is wrong, naming the field, or null.</summary>
    public static string? Complaint(NewTask task) =>
        string.IsNullOrWhiteSpace(task.Description) ? "description is missing"
        : task.Description.Length > WireLimits.MaxDescription ? $"description is longer than {WireLimits.MaxDescription} characters"
        : task.Priority is { } priority && Priorities.Parse(priority) is null ? "priority must be urgent, high, normal or low"
        : task.Repo is { } repo && RepositoryAddress.Complaint(repo) is { } wrong ? $"repo {wrong}; leave it out for a task without a repository"
        : task.Branch is { } branch && RepositoryAddress.BranchComplaint(branch) is { } bad ? $"branch {bad}"
        : task.Branch is not null && task.Repo is null ? "branch needs repo"
        : task.Metadata is { ValueKind: not System.Text.Json.JsonValueKind.Object } ? "metadata must be an object"
        : task.MaxRetries is < 0 or > 100 ? "max_retries must be 0 to 100"
        : task.MaxVerificationRetries is < 0 or > 100 ? "max_verification_retries must be 0 to 100"
        : task.VerificationTimeoutMs is < 1 or > LongestVerificationMs ? $"verification_timeout_ms must be 1 to {LongestVerificationMs}, which is seven days"
        : task.CompleteBy is < 0 ? "complete_by must be a time, in milliseconds since 1970"
        : task.AssignTo is { } agent && !TaskIds.IsValid(agent) ? "assign_to is not an agent id"
        : Words("needed_capabilities", task.NeededCapabilities, WireLimits.MaxName)
            ?? Words("success_criteria", task.SuccessCriteria, WireLimits.MaxItemText)
            ?? Words("depends_on", task.DependsOn, WireLimits.MaxTaskId)
            ?? (task.DependsOn?.FirstOrDefault(id => !TaskIds.IsValid(id)) is not null ? "depends_on holds something that is not a task id" : null)
            ?? (task.FileHints?.Count > WireLimits.MaxListItems || task.FileHints?.Any(hint => hint is null || Long(hint.Path) || Long(hint.Reason)) == true ? "file_hints is too long or holds null" : null)
            ?? (task.VerificationSteps?.Count > WireLimits.MaxListItems
                || task.VerificationSteps?.Any(step => step is null || Long(step.Type) || Long(step.Target) || Long(step.Description)) == true ? "verification_steps is too long or holds null" : null);

    /// <summary>Why a task's repository is refused here, or null. A submitter would otherwise choose a directory of the worker machine for git to work in.</summary>
    public static string? LocalComplaint(NewTask task, HubOptions options) => !options.LocalRepositories && task.Repo is { } repo && RepositoryAddress.LocalPath(repo) is not null
        ? "repo is a directory of the machine that works on it, which this hub does not take; serve it by https, ssh or git, or start the hub with --local-repositories"
        : null;

    private static string? Words(string field, IReadOnlyList<string>? words, int longest) =>
        words is null ? null
        : words.Count > WireLimits.MaxListItems ? $"{field} has more than {WireLimits.MaxListItems} entries"
        : words.Any(word => string.IsNullOrEmpty(word) || word.Length > longest) ? $"{field} holds an empty entry or one over {longest} characters"
        : null;

    private static bool Long(string? text) => text?.Length > WireLimits.MaxItemText;
}
