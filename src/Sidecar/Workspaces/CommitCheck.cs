using System.Globalization;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Checks that a run's work is there: commits, on the right base, on one line.</summary>
internal sealed class CommitCheck(Origin origin, LostMarks lost)
{
    /// <summary>The commit that is to be delivered, and what is to be said about it.</summary>
    /// <exception cref="GitException">The clone cannot be looked at.</exception>
    public async Task<RunFacts> RunAsync(Run run, CancellationToken token)
    {
        if (run.Facts is not { Workspace: { } work, BaseCommit: { } start, Branch: { } branch })
        {
            return run.Facts with { Verification = new VerificationReport { Status = "skipped", Checks = [] } };
        }

        await lost.OpenAsync(work, token); // An agent that took its own rights has taken ours; its work is whole.
        var line = await WorkLine.FindAsync(origin, work, branch, token);
        var descends = line.Problem is null && await WorkLine.StandsOnAsync(origin, work, start, line.Commit, token);
        var ahead = descends ? int.Parse(await CountAsync(work, $"{start}..{line.Commit}", token), CultureInfo.InvariantCulture) : 0;
        var rewritten = descends && run.Facts.StartCommit is { } begun && begun != start && !await WorkLine.StandsOnAsync(origin, work, begun, line.Commit, token);
        var check = new VerificationCheck
        {
            Type = "commits", Target = branch,
            Status = run.Assignment.SkipVerification == true ? "skipped" : descends && ahead > 0 ? "pass" : "fail",
            Detail = line.Problem ?? (!descends ? $"{line.Commit} does not stand on {start}"
                : string.Join("; ", new[] { $"{ahead} commits ahead of {start}", line.Note, rewritten ? $"earlier commits up to {run.Facts.StartCommit} were rewritten" : null }.OfType<string>())),
        };
        List<VerificationCheck> checks = [check];
        if (ahead > 0 && await LfsPointers.AddedAsync(origin, work, $"{start}..{line.Commit}", line.Commit, token) is [var first, ..] pointers)
        {
            checks.Add(new VerificationCheck
            {
                Type = "lfs", Target = Printable.Cut(first, 200), Status = "skipped",
                Detail = $"{(pointers.Count == 1 ? "1 file is" : $"{pointers.Count} files are")} kept by git-lfs: the sidecar neither pushes their objects nor asks whether the origin has them; 'git lfs push --all' in the workspace does",
            });
        }

        return run.Facts with
        {
            Commit = line.Commit.Length > 0 ? line.Commit : null, CommitsAhead = ahead, Verification = new VerificationReport { Status = StepRules.Overall(checks), Checks = checks },
        };
    }

    private async Task<string> CountAsync(string work, string range, CancellationToken token)
    {
        string[] count = ["rev-list", "--count", range];
        var outcome = await origin.AskAsync(work, token, count);
        return outcome.Ok ? outcome.Output.Trim() : throw GitFaults.Explain(count, outcome);
    }
}
