using System.Globalization;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Where one run works: a clone of its own on a branch of its own, made, checked and delivered from here.</summary>
/// <remarks>Every step can be done again after a crash: a clone is made under another name and renamed, a push of the same commit
/// changes nothing. What a run leaves behind is the <see cref="WorkspaceKeeper"/>'s.</remarks>
internal sealed class Workspace(Preparation preparation, Delivery delivery, Origin origin)
{
    /// <summary>Makes the clone; the facts that follow from it are returned.</summary>
    /// <exception cref="GitException">It could not be made whole; the agent must not be woken.</exception>
    public Task<RunFacts> PrepareAsync(Run run, CancellationToken token) => preparation.PrepareAsync(run, token);

    /// <summary>Checks the work: commits on the right base. <see cref="Verification"/> adds the steps that the task asks for.</summary>
    public async Task<RunFacts> VerifyAsync(Run run, CancellationToken token)
    {
        if (run.Facts is not { Workspace: { } work, BaseCommit: { } start, Branch: { } branch })
        {
            return run.Facts with { Verification = new VerificationReport { Status = "skipped", Checks = [] } };
        }

        var line = await WorkLine.FindAsync(origin, work, branch, token);
        var descends = line.Problem is null && await WorkLine.StandsOnAsync(origin, work, start, line.Commit, token);
        var ahead = descends ? int.Parse(await CountAsync(work, $"{start}..{line.Commit}", token), CultureInfo.InvariantCulture) : 0;
        var rewritten = descends && run.Facts.StartCommit is { } begun && begun != start && !await WorkLine.StandsOnAsync(origin, work, begun, line.Commit, token);
        var checks = new List<VerificationCheck>
        {
            new()
            {
                Type = "commits", Target = branch,
                Status = run.Assignment.SkipVerification == true ? "skipped" : descends && ahead > 0 ? "pass" : "fail",
                Detail = line.Problem ?? (!descends ? $"{line.Commit} does not stand on {start}"
                    : string.Join("; ", new[] { $"{ahead} commits ahead of {start}", line.Note, rewritten ? $"earlier commits up to {run.Facts.StartCommit} were rewritten" : null }.OfType<string>())),
            },
        };
        return run.Facts with
        {
            Commit = line.Commit.Length > 0 ? line.Commit : null, CommitsAhead = ahead, Verification = new VerificationReport { Status = StepRules.Overall(checks), Checks = checks },
        };
    }

    /// <summary>Pushes the commit and proves by asking the origin that it is there.</summary>
    /// <exception cref="GitException">It is not.</exception>
    public Task<RunFacts> SubmitAsync(Run run, CancellationToken token) => delivery.SubmitAsync(run, token);

    private async Task<string> CountAsync(string work, string range, CancellationToken token)
    {
        string[] count = ["rev-list", "--count", range];
        var outcome = await origin.AskAsync(work, token, count);
        return outcome.Ok ? outcome.Output.Trim() : throw GitFaults.Explain(count, outcome);
    }
}
