using FleetSidecar.Protocol;

namespace FleetSidecar.Gate;

/// <summary>The merge gate: facts in, verdict out. Pure; no clock, no network, and no model's opinion.</summary>
/// <remarks>Every rule can only add a reason, and the heaviest reason is the verdict, so no violation can make up for another. docs/gate.md explains each code.</remarks>
internal static class GateRules
{
    private const string NoFile = "000000", Link = "120000", Submodule = "160000", Executable = "100755";
    private const int LongestName = 160;

    public static IReadOnlyList<GateReason> Judge(GateFacts facts, GateOptions options) =>
        facts.Unreadable is { } why ? [new(GateWeight.Review, "repository_unreadable", why)]
        : facts.Head is null ? [new(GateWeight.Review, "branch_missing", $"the origin has no branch {Show(facts.Branch)}")]
        : facts.TargetHead is null ? [new(GateWeight.Review, "target_missing", $"the origin has no branch {Show(facts.Target ?? "to merge into")}")]
        : [.. Origin(facts), .. Generation(facts), .. Verified(facts), .. Size(facts, options), .. (facts.Files ?? []).SelectMany(file => Of(file, options))];

    public static GateWeight Verdict(IEnumerable<GateReason> reasons) => reasons.Select(reason => reason.Weight).Append(GateWeight.AutoMerge).Max();

    private static IEnumerable<GateReason> Origin(GateFacts facts)
    {
        if (facts.Branch == facts.Target)
        {
            yield return new(GateWeight.Escalate, "branch_is_target", "the work lies on the branch that it is to be merged into");
        }

        if (facts.WantedBranch is { } wanted && !(wanted.StartsWith('/') ? facts.Branch.EndsWith(wanted, StringComparison.Ordinal) && facts.Branch.Count(letter => letter == '/') == 1 : facts.Branch == wanted))
        {
            yield return new(GateWeight.Escalate, "wrong_branch", $"{Show(facts.Branch)} is not the branch of task {facts.Task}");
        }

        if (facts.MergeBase is null)
        {
            yield return new(GateWeight.Escalate, "unrelated_history", "branch and target have no commit in common");
        }

        if (facts.ReportedBaseHolds == false)
        {
            yield return new(GateWeight.Escalate, "base_not_in_target", "the commit that the work is reported to stand on does not belong to both the target and the branch");
        }
    }

    private static IEnumerable<GateReason> Generation(GateFacts facts)
    {
        if (facts.Task is null || facts.Generation is not { } generation)
        {
            yield return new(GateWeight.Review, "generation_unknown", "without task and generation nobody can say whether this attempt is the current one");
            yield break;
        }

        if (facts.HighestGeneration > generation)
        {
            yield return new(GateWeight.Escalate, "generation_stale", $"generation {generation} was followed by {facts.HighestGeneration}");
        }

        if (facts.GenerationCommit is null)
        {
            yield return new(GateWeight.Review, "generation_unproved", $"the origin has no ref for generation {generation} of the task");
        }
        else if (facts.GenerationCommit != facts.Head)
        {
            yield return new(GateWeight.Review, "branch_moved", "the branch is not at the commit that this generation submitted");
        }

        if (facts.KeepsEarlierWork == false)
        {
            yield return new(GateWeight.Review, "earlier_work_dropped", "commits that an earlier generation submitted are not in the branch any more");
        }
    }

    private static IEnumerable<GateReason> Verified(GateFacts facts)
    {
        if (facts.Verification is not { } report)
        {
            yield return new(GateWeight.Review, "verification_missing", "there is no report of the checks");
            yield break;
        }

        if (report.Status != "pass")
        {
            yield return report.Status == "fail" ? new(GateWeight.Escalate, "verification_failed", "the checks failed")
                : new(GateWeight.Review, "verification_incomplete", $"the report says {Show(report.Status)}: not everything was checked");
        }

        if (report.BadEnd is { } end)
        {
            yield return new(GateWeight.Escalate, "work_not_completed", $"the report is of work that ended as {Show(end)}");
        }

        if (report.Task is { } other && facts.Task is { } task && other != task)
        {
            yield return new(GateWeight.Escalate, "verification_of_other_task", $"checked was {Show(other)}");
        }

        if (!report.SaysEnd)
        {
            yield return new(GateWeight.Review, "verification_unbound", "the report does not say how the work ended");
        }

        if (report.Task is null && facts.Task is not null)
        {
            yield return new(GateWeight.Review, "verification_unbound", "the report does not say which task was checked");
        }

        if (report.Branch is { } elsewhere && elsewhere != facts.Branch)
        {
            yield return new(GateWeight.Escalate, "verification_of_other_branch", $"checked was {Show(elsewhere)}");
        }

        if (report.Commit is null)
        {
            yield return new(GateWeight.Review, "verification_unbound", "the report does not say which commit was checked");
        }
        else if (report.Commit != facts.Head)
        {
            yield return new(GateWeight.Escalate, "verification_of_other_commit", $"checked was {Show(report.Commit)}, the branch is at {facts.Head}");
        }

        if (report.Generation is null)
        {
            yield return new(GateWeight.Review, "verification_unbound", "the report does not say which generation was checked");
        }

        if (report.Generation is { } checkedOf && facts.Generation is { } generation && checkedOf != generation)
        {
            yield return new(GateWeight.Escalate, "verification_of_other_generation", $"checked was generation {checkedOf}");
        }
    }

    private static IEnumerable<GateReason> Size(GateFacts facts, GateOptions options)
    {
        if (facts.Files is not { } files)
        {
            yield return new(GateWeight.Escalate, "change_unreadable", "the change is too large to be read whole, or cannot be read");
            yield break;
        }

        if (files.Count == 0)
        {
            yield return new(GateWeight.Review, "no_change", "branch and target differ in no file");
        }

        if (files.Sum(file => file.Change.OldPath is null ? 1 : 2) is var places && places > options.MaxFiles)
        {
            yield return new(GateWeight.Review, "too_many_files", $"{places} files are changed, {options.MaxFiles} are allowed");
        }

        if (facts.Insertions + facts.Deletions > options.MaxLines)
        {
            yield return new(GateWeight.Review, "too_many_lines", $"{facts.Insertions + facts.Deletions} lines are changed, {options.MaxLines} are allowed");
        }

        if (files.Sum(file => file.Bytes ?? 0) is var size && size > options.MaxBytes)
        {
            yield return new(GateWeight.Review, "too_many_bytes", $"the changed files have {size} bytes together, {options.MaxBytes} are allowed");
        }

        if (files.Count(file => file.Change.Status == 'D') is var gone && gone > options.MaxDeletedFiles)
        {
            yield return new(GateWeight.Escalate, "too_many_deletions", $"{gone} files are deleted, {options.MaxDeletedFiles} are allowed");
        }
    }

    private static IEnumerable<GateReason> Of(GateFile file, GateOptions options)
    {
        var change = file.Change;

        // A rename touches both places.
        foreach (var path in new[] { change.Path, change.OldPath }.OfType<string>())
        {
            if (PathRules.Danger(path) is { } danger)
            {
                yield return new(GateWeight.Escalate, "dangerous_name", $"{Show(path)} {danger}");
            }
            else if (PathRules.Oddity(path) is { } oddity)
            {
                yield return new(GateWeight.Review, "odd_name", $"{Show(path)} {oddity}");
            }

            if (PathPattern.FitsAny(path, options.ForbiddenPaths, ignoreCase: true))
            {
                yield return new(GateWeight.Escalate, "forbidden_path", Show(path));
            }

            if (PathPattern.FitsAny(path, options.SensitivePaths, ignoreCase: true))
            {
                yield return new(GateWeight.Review, "sensitive_path", Show(path));
            }

            if (!PathPattern.FitsAny(path, options.AllowedPaths, ignoreCase: false))
            {
                yield return new(GateWeight.Review, "outside_allowed_paths", Show(path));
            }
        }

        if (change.OldMode == Submodule || change.NewMode == Submodule)
        {
            yield return new(GateWeight.Escalate, "submodule", $"{Show(change.Path)} is another repository");
        }

        if (change.NewMode == Link && (file.LinkTarget is null || PathRules.LeadsOut(change.Path, file.LinkTarget)))
        {
            yield return new(GateWeight.Escalate, "link_leads_out", $"{Show(change.Path)} leads to {Show(file.LinkTarget ?? "an unknown place")}");
        }

        if (change.NewMode == Executable && change.OldMode != Executable && !PathPattern.FitsAny(change.Path, options.ExecutablePaths, ignoreCase: false))
        {
            yield return new(GateWeight.Review, "executable", $"{Show(change.Path)} becomes executable");
        }

        if (change.NewMode is not (NoFile or Link or Submodule) && (file.Bytes is null || file.Bytes > options.MaxFileBytes))
        {
            yield return new(GateWeight.Review, "large_file", $"{Show(change.Path)} {(file.Bytes is { } bytes ? $"has {bytes} bytes, {options.MaxFileBytes} are allowed" : "was not measured")}");
        }
    }

    private static string Show(string text) => Printable.Cut(text, LongestName);
}
