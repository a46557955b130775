using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Where one run works: a clone of its own on a branch of its own, made, checked and delivered here.</summary>
/// <remarks>
/// The clone borrows the mirror's objects but shares no ref, index, stash or hook with any other run. Every step can be done
/// again after a crash: a clone is made under another name and renamed, a push of the same commit changes nothing.
/// What it does not do: rescue of unpushed work at a bad end, and clean-up; the clone simply stays.
/// </remarks>
internal sealed class Workspace(SidecarConfig config, Git git, Mirrors mirrors)
{
    /// <summary>Makes the clone; the facts that follow from it are returned.</summary>
    /// <exception cref="GitException">It could not be made whole; the agent must not be woken.</exception>
    public async Task<RunFacts> PrepareAsync(Run run, CancellationToken token)
    {
        var address = run.Assignment.Repo!;
        if (RepositoryRules.Refuse(address, config.Workspace.AllowedRepositories) is { } refusal)
        {
            throw new GitException(GitFaults.Forbidden, refusal.Why, refusal.Hint);
        }

        var mirror = await mirrors.RefreshAsync(address, token);
        var branch = RepositoryRules.BranchFor(config.Agent.Id, run.TaskId);
        var remote = await RemoteAsync(mirror, address, branch, token);
        var start = await StartAsync(mirror, run, branch, remote, token);
        var path = Path.Combine(config.StateDirectory, "workspaces", run.Id);
        await CloneAsync(mirror, address, path, branch, start, token);
        return run.Facts with { Workspace = path, Branch = branch, BaseCommit = start, RemoteAtStart = remote };
    }

    /// <summary>Checks the work: commits on the right base. <see cref="Verification"/> adds the steps that the task asks for.</summary>
    public async Task<RunFacts> VerifyAsync(Run run, CancellationToken token)
    {
        if (run.Facts.Workspace is not { } path || run.Facts.BaseCommit is not { } start)
        {
            return run.Facts with { Verification = new VerificationReport { Status = "skipped", Checks = [] } };
        }

        var head = await git.RunAsync(path, token, "rev-parse", "HEAD");
        var descends = (await git.TryAsync(path, token, "merge-base", "--is-ancestor", start, head)).ExitCode == 0;
        var ahead = descends ? int.Parse(await git.RunAsync(path, token, "rev-list", "--count", $"{start}..{head}"), CultureInfo.InvariantCulture) : 0;
        var checks = new List<VerificationCheck>
        {
            new()
            {
                Type = "commits", Target = run.Facts.Branch,
                Status = run.Assignment.SkipVerification == true ? "skipped" : descends && ahead > 0 ? "pass" : "fail",
                Detail = !descends ? $"HEAD does not stand on {start}" : $"{ahead} commits ahead of {start}",
            },
        };
        return run.Facts with
        {
            Commit = head, CommitsAhead = ahead, Verification = new VerificationReport { Status = StepRules.Overall(checks), Checks = checks },
        };
    }

    /// <summary>Pushes the commit and proves by asking the origin that it is there.</summary>
    /// <exception cref="GitException">It is not.</exception>
    public async Task<RunFacts> SubmitAsync(Run run, CancellationToken token)
    {
        if (run.Facts is not { Workspace: { } path, Branch: { } branch, Commit: { } commit, BaseCommit: not null })
        {
            return run.Facts with { Delivered = true };
        }

        if (await RemoteAsync(path, run.Assignment.Repo!, branch, token) != commit && run.Facts.CommitsAhead > 0)
        {
            // The lease: whoever moved the branch since the workspace was made keeps what is there.
            await git.RunAsync(path, token, "push", "--quiet", $"--force-with-lease=refs/heads/{branch}:{run.Facts.RemoteAtStart}",
                "--", run.Assignment.Repo!, $"{commit}:refs/heads/{branch}");
            var proof = await RemoteAsync(path, run.Assignment.Repo!, branch, token);
            if (proof != commit)
            {
                throw new GitException(GitFaults.PushRefused, $"the origin shows {(proof?.Length > 0 ? proof : "nothing")} at {branch}, not {commit}", "look for a server-side hook that rewrites or drops pushes");
            }
        }

        return run.Facts with { Delivered = true, Commit = run.Facts.CommitsAhead > 0 ? commit : null };
    }

    private async Task<string> RemoteAsync(string directory, string address, string branch, CancellationToken token)
    {
        var answer = await git.RunAsync(directory, token, "ls-remote", "--", address, $"refs/heads/{branch}");
        return answer.Split('\t')[0].Trim();
    }

    // An earlier attempt's commits are kept: its branch is where this one begins.
    private async Task<string> StartAsync(string mirror, Run run, string branch, string remote, CancellationToken token)
    {
        var from = remote.Length > 0 ? $"refs/heads/{branch}" : run.Assignment.Branch is { Length: > 0 } named ? $"refs/heads/{named}" : "HEAD";
        var commit = await git.TryAsync(mirror, token, "rev-parse", "--verify", "--quiet", "--end-of-options", $"{from}^{{commit}}");
        return commit.Ok ? commit.Output.Trim()
            : throw new GitException(from == "HEAD" ? GitFaults.EmptyRepository : GitFaults.NoBranch, from == "HEAD" ? "the repository has no commit on its default branch" : $"the origin has no branch {from["refs/heads/".Length..]}",
                "push a first commit, or name an existing branch in the task");
    }

    private async Task CloneAsync(string mirror, string address, string path, string branch, string start, CancellationToken token)
    {
        var beside = $"{path}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await git.RunAsync(mirror, token, "clone", "--shared", "--no-checkout", "--quiet", "--", mirror, beside);
        await git.RunAsync(beside, token, "remote", "set-url", "origin", address);
        await git.RunAsync(beside, token, "config", "user.name", config.Workspace.AuthorName ?? config.Agent.Name ?? config.Agent.Id);
        await git.RunAsync(beside, token, "config", "user.email", config.Workspace.AuthorEmail ?? $"{config.Agent.Id}@fleet.invalid");
        await git.RunAsync(beside, token, "config", "gc.auto", "0");
        await git.RunAsync(beside, token, "checkout", "--quiet", "-B", branch, start);
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true); // Of this run, from before a crash; no agent has seen it yet.
        }

        Directory.Move(beside, path);
    }
}
