using FleetSidecar.Configuration;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Checks the work of a run: its commits, then the steps that the task asks for, and what changed in numbers.</summary>
/// <remarks>What is pushed is the commit that was there before the first step: a step that commits something changes nothing.</remarks>
internal sealed class Verification(SidecarConfig config, CommitCheck commitCheck, StepChecks steps, Origin origin)
{
    public async Task<RunFacts> RunAsync(Run run, CancellationToken token)
    {
        var facts = await commitCheck.RunAsync(run, token);
        var commits = facts.Verification!.Checks;
        var idle = run.Assignment.SkipVerification == true ? "the task skips verification"
            : facts.Workspace is null ? "the task has no repository, so there is nothing to check"
            : StepRules.Overall(commits) == StepRules.Fail ? "not looked at: the commits do not hold"
            : null;
        var starts = new VerificationStarts(config.RunsDirectory, run.Id);
        List<VerificationCheck> checks = idle is null && !starts.TryBegin()
            ? [.. commits, VerificationStarts.Refusal]
            : [.. commits, .. await steps.RunAsync(run, facts.Workspace ?? "", idle, token)];
        return facts with
        {
            Verification = new VerificationReport { Status = StepRules.Overall(checks), Checks = checks },
            Diff = facts is { Workspace: { } path, BaseCommit: { } start, Commit: { } head } ? await DiffFacts.SummaryAsync(arguments => origin.AskAsync(path, token, arguments), start, head) : null,
        };
    }
}
