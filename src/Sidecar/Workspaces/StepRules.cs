using System.IO.Enumeration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>What a verification step means and how the outcomes of all of them add up.</summary>
internal static class StepRules
{
    public const string Pass = "pass", Fail = "fail", Skipped = "skipped";

    /// <summary>The outcome of all checks: a check that was asked for and not made keeps the whole from being a <c>pass</c>.</summary>
    public static string Overall(IReadOnlyCollection<VerificationCheck> checks) =>
        checks.Any(check => check.Status == Fail) ? Fail
        : checks.Count == 0 || checks.Any(check => check.Status == Skipped) ? Skipped
        : Pass;

    public static VerificationCheck Check(VerificationStep step, string status, string detail) => new()
    {
        Type = Printable.Cut(step.Type ?? "unnamed", 64), Target = step.Target is null ? null : Printable.Cut(step.Target, 512), Status = status, Detail = detail,
    };

    /// <summary>The path of a step below the workspace; null where it leads out of it by its text or by a link.</summary>
    public static (string? Path, string? Complaint) Inside(string? target, string workspace)
    {
        if (string.IsNullOrEmpty(target) || target.Contains('\0', StringComparison.Ordinal))
        {
            return (null, "the step names no file");
        }

        var path = Path.GetFullPath(Path.Combine(workspace, target));
        return !path.StartsWith(workspace + "/", StringComparison.Ordinal) ? (null, "the path leads out of the workspace")
            : !Path.Exists(path) ? (null, "it is not there")
            : !RealPath.IsInside(path, workspace) ? (null, "a symbolic link leads out of the workspace")
            : (path, null);
    }

    /// <summary>Whether the operator lets a step of a task run a program of this name; <c>*</c> stands for any run of characters.</summary>
    public static bool MayRun(string program, IReadOnlyList<string> allowed) =>
        allowed.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, program, ignoreCase: false));

    /// <summary>The program's file: absolute as it is, relative only inside the workspace, a bare name from PATH.</summary>
    public static (string? File, string? Complaint) Program(string word, string workspace, string searchPath) =>
        Path.IsPathFullyQualified(word) ? File.Exists(word) ? (word, null) : (null, $"there is no program {Printable.Cut(word, 128)}")
        : word.Contains('/', StringComparison.Ordinal) ? Inside(word, workspace)
        : searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathFullyQualified).Select(directory => Path.Combine(directory, word))
            .FirstOrDefault(IsProgram) is { } found ? (found, null) : (null, $"there is no program {Printable.Cut(word, 128)} in PATH");

    private static bool IsProgram(string path) =>
        File.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;
}
