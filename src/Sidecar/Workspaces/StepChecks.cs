using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>The verification steps that this version can run. Others are reported as skipped, never as passed.</summary>
internal static class StepChecks
{
    public static VerificationCheck Run(VerificationStep step, string workspace, bool skip)
    {
        var (status, detail) = skip ? ("skipped", "the task skips verification") : step.Type switch
        {
            "file_exists" => FileExists(step.Target, workspace),
            _ => ("skipped", "this version does not run this kind of step"),
        };
        return new VerificationCheck
        {
            Type = Printable.Cut(step.Type ?? "unnamed", 64), Target = step.Target is null ? null : Printable.Cut(step.Target, 512), Status = status, Detail = detail,
        };
    }

    private static (string Status, string Detail) FileExists(string? target, string workspace)
    {
        if (string.IsNullOrEmpty(target) || target.Contains('\0', StringComparison.Ordinal))
        {
            return ("fail", "the step names no file");
        }

        var path = Path.GetFullPath(Path.Combine(workspace, target));
        return !path.StartsWith(workspace + "/", StringComparison.Ordinal) ? ("fail", "the path leads out of the workspace")
            : Path.Exists(path) ? ("pass", "it is there") : ("fail", "it is not there");
    }
}
