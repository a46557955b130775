using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>Brings a run's commit to its branch on the origin, and proves it there.</summary>
internal sealed partial class Delivery(SidecarConfig config, Origin origin, TimeProvider time, ILogger<Delivery> log)
{
    // So often within the deadline "submit" the origin is asked whether it shows already what a push is still busy with.
    private const int LooksADeadline = 5;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Pushes; while the origin cannot be reached it tries again, until the deadline <c>submit</c> ends it.</summary>
    /// <exception cref="GitException">The origin refuses, or somebody else moved the branch.</exception>
    public async Task<RunFacts> SubmitAsync(Run run, CancellationToken token)
    {
        if (run.Facts is not { Workspace: { } work, Branch: { } branch, Commit: { } commit, BaseCommit: { } start })
        {
            return run.Facts with { Delivered = true };
        }

        if (run.Facts.CommitsAhead is not > 0)
        {
            return run.Facts with { Delivered = true, Commit = null };
        }

        using var progress = origin.Progress.Follow(run.Id);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await PushAsync(run, work, branch, commit, token);
                return run.Facts with { Delivered = true, Verification = await TryNameStraysAsync(run, work, $"{start}..{commit}", token) };
            }
            catch (GitException fault) when (fault.IsPassing)
            {
                progress.Failed(fault.Message);
                LogSubmitAgain(run.Id, run.TaskId, attempt, fault.Message);
                await Task.Delay(Backoff.After(FirstPause, attempt, LongestPause), time, token);
            }
        }
    }

    private async Task PushAsync(Run run, string work, string branch, string commit, CancellationToken token)
    {
        var (address, name, record) = (run.Assignment.Repo!, $"refs/heads/{branch}", RefNames.Attempt(run.TaskId, run.Generation));
        var refs = await origin.RefsAsync(address, token, name, RefNames.Attempts(run.TaskId));
        if (refs.HighestGeneration(run.TaskId) is var highest && highest > run.Generation)
        {
            throw Preparation.Stale(run, highest);
        }

        var expected = await ExpectAsync(run, work, refs[name], commit, token);
        if (refs[name] != commit)
        {
            string[] push = ["push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", $"--force-with-lease={name}:{expected}", "--", address, $"{commit}:{name}"];
            var pushed = await PushAsync(run, work, name, commit, push, token);
            if (!pushed.Ok)
            {
                throw GitFaults.Explain(push, pushed);
            }
        }

        if (refs[record] != commit)
        {
            // Who may push branches may not always push other refs; the branch is what counts. What time mends is tried again.
            var recorded = await PushAsync(run, work, record, commit, ["push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", "--", address, $"+{commit}:{record}"], token);
            if (!recorded.Ok)
            {
                var fault = GitFaults.Explain(["push"], recorded);
                if (fault.IsPassing && fault.Code != GitFaults.TimedOut)
                {
                    throw fault;
                }

                LogRefNotKept(run.Id, run.TaskId, record, fault.Message);
            }
        }

        var proof = (await origin.RefsAsync(address, token, name))[name];
        if (proof != commit)
        {
            throw new GitException(GitFaults.PushRefused, $"the origin shows {(proof.Length > 0 ? proof : "nothing")} at {branch}, not {commit}", "look for a server-side hook that rewrites or drops pushes");
        }
    }

    // A hook of the origin's that runs after a push, or a connection that stays open, may hold git long after the ref has moved.
    private async Task<ToolOutcome> PushAsync(Run run, string work, string name, string commit, string[] push, CancellationToken token)
    {
        using var held = CancellationTokenSource.CreateLinkedTokenSource(token);
        var pushing = origin.TryAsync(work, [], held.Token, push);
        try
        {
            while (await Task.WhenAny(pushing, Task.Delay(config.Deadlines.Submit / LooksADeadline, time, held.Token)) != pushing && !token.IsCancellationRequested)
            {
                var look = ShowsAsync(run, name, commit, held.Token);
                if (await Task.WhenAny(pushing, look) == look && await look)
                {
                    LogPushHeld(run.Id, run.TaskId, name);
                    return new ToolOutcome(0, "", "", false);
                }
            }

            return await pushing;
        }
        finally
        {
            await held.CancelAsync();
            await ((Task)pushing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> ShowsAsync(Run run, string name, string commit, CancellationToken token)
    {
        try
        {
            return (await origin.RefsAsync(run.Assignment.Repo!, token, name))[name] == commit;
        }
        catch (Exception fault) when (fault is GitException or IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            return false; // The push itself says what is wrong.
        }
    }

    // What the branch may be overwritten from. Whoever else moved it since the workspace was made keeps what is there.
    private async Task<string> ExpectAsync(Run run, string work, string now, string commit, CancellationToken token)
    {
        if (run.Facts.RemoteAtStart is { Length: > 0 } begun && !await WorkLine.StandsOnAsync(origin, work, begun, commit, token))
        {
            // Rewritten: what earlier attempts left is kept under a name of its own, or nothing is overwritten. The agent's own
            // push may have thrown it off the branch already.
            await origin.RunAsync(work, token, "push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", "--", run.Assignment.Repo!, $"+{begun}:{RefNames.Before(run.TaskId, run.Generation)}");
        }

        if (now.Length == 0 || await WorkLine.StandsOnAsync(origin, work, now, commit, token))
        {
            return now; // New, or only forward: also where the agent itself pushed a part.
        }

        if (now != run.Facts.RemoteAtStart && !await WasOursAsync(work, now, token))
        {
            throw new GitException(GitFaults.BranchMoved, $"{run.Facts.Branch} on the origin is {now}, which this attempt neither found nor made", "look at who else pushes to it; nothing was overwritten, the work is kept as a rescue ref");
        }

        return now;
    }

    private async Task<bool> WasOursAsync(string work, string commit, CancellationToken token) =>
        (await origin.AskAsync(work, token, "rev-list", "--walk-reflogs", "--all")).Output.Split('\n').Contains(commit);

    // The work is there, whatever becomes of the look for more of it.
    private async Task<VerificationReport?> TryNameStraysAsync(Run run, string work, string range, CancellationToken token)
    {
        try
        {
            return await NameStraysAsync(run, work, range, token);
        }
        catch (Exception fault) when (fault is GitException or IOException or UnauthorizedAccessException)
        {
            return run.Facts.Verification;
        }
    }

    // The agent may have pushed under a name of its own. That does no harm, but somebody should know.
    private async Task<VerificationReport?> NameStraysAsync(Run run, string work, string range, CancellationToken token)
    {
        var ours = (await origin.AskAsync(work, token, "rev-list", "--max-count=1000", range)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet();
        var refs = await origin.RefsAsync(run.Assignment.Repo!, token, "refs/heads/*");
        var strays = refs.All.Where(pair => ours.Contains(pair.Value) && pair.Key != $"refs/heads/{run.Facts.Branch}").Select(pair => Printable.Cut(pair.Key["refs/heads/".Length..], 200)).Take(5).ToList();
        if (strays.Count == 0 || run.Facts.Verification is not { } report)
        {
            return run.Facts.Verification;
        }

        LogStrayBranch(run.Id, run.TaskId, string.Join(", ", strays), run.Facts.Branch!);
        return report with { Checks = [.. report.Checks, .. strays.Select(stray => new VerificationCheck { Type = "branch", Target = stray, Status = "skipped", Detail = $"the agent pushed the work under this name too; it is delivered on {run.Facts.Branch}" })] };
    }

    [LoggerMessage(EventIds.SubmitAgain, LogLevel.Warning, "{Run} could not deliver {Task} yet, attempt {Attempt}: {Reason}; the work is kept, trying again", EventName = "SubmitAgain")]
    private partial void LogSubmitAgain(string run, string task, int attempt, string reason);

    [LoggerMessage(EventIds.PushHeld, LogLevel.Warning, "{Run} {Task}: the origin shows {Ref} and does not end the push; it is ended here, look at the origin's post-receive hook", EventName = "PushHeld")]
    private partial void LogPushHeld(string run, string task, string @ref);

    [LoggerMessage(EventIds.RefNotKept, LogLevel.Warning, "{Run} {Task}: the origin does not take {Ref}: {Reason}", EventName = "RefNotKept")]
    private partial void LogRefNotKept(string run, string task, string @ref, string reason);

    [LoggerMessage(EventIds.StrayBranch, LogLevel.Warning, "{Run}: the agent of {Task} pushed its work under other names as well: {Strays}; it counts on {Branch} alone, nothing was removed", EventName = "StrayBranch")]
    private partial void LogStrayBranch(string run, string task, string strays, string branch);
}
