using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>Makes a run's workspace on the right commit, or says why there is none. An agent is never woken without.</summary>
internal sealed partial class Preparation(
    SidecarConfig config, Git git, Origin origin, Mirrors mirrors, Clones clones, PushForesight foresight,
    TimeProvider time, ILogger<Preparation> log)
{
    private const int Attempts = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Prepares. What time may cure is tried again: three times, and for half of the deadline <c>prepare</c> where the origin cannot
    /// be reached now but could be before. A damaged mirror is replaced by a fresh clone, once.
    /// </summary>
    /// <exception cref="GitException">The workspace could not be made whole.</exception>
    public async Task<RunFacts> PrepareAsync(Run run, CancellationToken token)
    {
        if (RepositoryRules.Refuse(run.Assignment.Repo!, config) is { } refusal)
        {
            throw refusal;
        }

        using var progress = git.Progress.Follow(run.Id);
        var began = time.GetTimestamp();
        Mirror? mirror = null;
        int? damaged = null;
        for (var (attempt, tries) = (1, 1); ; attempt++)
        {
            using var guard = new FloorGuard(config, time, token);
            try
            {
                mirror = await mirrors.RefreshAsync(run.Assignment.Repo!, damaged, guard.Token);
                return await PrepareOnceAsync(run, mirror.Value.Path, guard.Token);
            }
            catch (OperationCanceledException) when (guard.Reason is { } reason && !token.IsCancellationRequested)
            {
                throw new GitException(GitFaults.DiskFull, reason, "free space on the state directory's disk, or work on that repository on a larger machine; half of selfTest.diskFloorBytes is never used for a repository");
            }
            catch (GitException fault) when (IsOutage(run, fault)
                ? attempt < Attempts || time.GetElapsedTime(began) + Pause(attempt) < config.Deadlines.Prepare / 2
                : tries < Attempts && (fault.IsPassing || IsCurable(fault, damaged)))
            {
                tries += IsOutage(run, fault) ? 0 : 1; // The end of an outage is often another fault, and that one has its own tries.
                damaged = fault.Code == GitFaults.Damaged ? mirror?.Copy : damaged;
                progress.Failed(fault.Message);
                LogPrepareAgain(run.Id, run.TaskId, attempt, fault.Message);
                await Task.Delay(Pause(attempt), time, token);
            }
            catch (GitException fault) when (fault.Code == GitFaults.Damaged && damaged is not null)
            {
                throw new GitException(
                    GitFaults.Damaged, $"{fault.Text}; a fresh copy of the mirror did not help", "check the disk of the state directory");
            }
        }
    }

    private static TimeSpan Pause(int attempt) => Backoff.After(FirstPause, attempt, LongestPause);

    // An address that never answered may be misspelt, and its task hears so at once.
    private bool IsOutage(Run run, GitException fault) => fault.IsOfTheWay && mirrors.Knows(run.Assignment.Repo!);

    // Damage in a workspace of a fresh mirror is the disk's fault: another copy would not be better.
    private static bool IsCurable(GitException fault, int? damaged) => fault.Code == GitFaults.Damaged && damaged is null;

    /// <summary>What git is doing for a run and what failed last; null where there is nothing to tell.</summary>
    public string? Doing(string runId) => git.Progress.Of(runId);

    private async Task<RunFacts> PrepareOnceAsync(Run run, string mirror, CancellationToken token)
    {
        var address = run.Assignment.Repo!;
        var branch = RefNames.Branch(config.Agent.Id, run.TaskId);

        // After the fetch: what the origin shows now must be what was fetched.
        var named = run.Assignment.Branch is { Length: > 0 } wanted ? $"refs/heads/{wanted}" : null;
        string[] asked =
        [
            "HEAD", .. named is null ? [] : new[] { named }, $"refs/heads/{branch}", RefNames.Below(branch),
            RefNames.Attempts(run.TaskId), .. RefNames.Above(config.Agent.Id, run.TaskId),
        ];
        var refs = await origin.RefsAsync(address, token, asked);
        if (refs.HighestGeneration(run.TaskId) is var highest && highest > run.Generation)
        {
            throw Stale(run, highest);
        }

        if (PushForesight.Conflict(refs, config.Agent.Id, run.TaskId) is { } conflict)
        {
            throw conflict;
        }

        var (target, head) = Target(refs, run.Assignment.Branch, named);
        if (head.Length != 40)
        {
            throw new GitException(GitFaults.Unsupported, "the repository names its objects by SHA-256", "use a repository with SHA-1 names; forges offer no other");
        }

        if (ExpectedHead(run) is { } expected && !head.StartsWith(expected, StringComparison.OrdinalIgnoreCase))
        {
            throw new GitException(GitFaults.StaleBase, $"the hub expects {target} at {expected}, the origin shows {head}", "submit the task anew on the branch's present head");
        }

        var tip = refs[$"refs/heads/{branch}"];
        await RequireAsync(mirror, tip.Length > 0 ? [(target, head), ($"refs/heads/{branch}", tip)] : [(target, head)], token);
        var start = tip.Length > 0 ? tip : head;
        await foresight.AskAsync(run, mirror, branch, start, token);
        var from = start == head ? head : await ForkAsync(mirror, branch, start, target, head, token);
        var work = await clones.MakeAsync(mirror, new WorkspaceMark
        {
            RunId = run.Id, TaskId = run.TaskId, Generation = run.Generation, Agent = config.Agent.Id, BeganAtUnixMs = run.CreatedAtUnixMs, Repository = address, Branch = branch, Base = from,
        }, start, token);
        return run.Facts with { Workspace = work, Branch = branch, BaseCommit = from, StartCommit = start, TargetBranch = target["refs/heads/".Length..], RemoteAtStart = tip };
    }

    /// <summary>Somebody else's later attempt has delivered: this one may not.</summary>
    public static GitException Stale(Run run, long highest) => new(GitFaults.StaleGeneration,
        $"the origin holds the work of generation {highest} of {run.TaskId}, this is generation {run.Generation}", "nothing to do: the later attempt counts; what this one left is kept as a rescue ref");

    // The branch that the work is meant for, and where it is.
    private static (string Name, string Commit) Target(RemoteRefs refs, string? wanted, string? named)
    {
        const string Hint = "push a first commit, or name an existing branch in the task";
        if (named is not null)
        {
            return refs[named] is { Length: > 0 } commit ? (named, commit)
                : throw new GitException(GitFaults.NoBranch, $"the origin has no branch {wanted}", Hint);
        }

        if (refs["HEAD"] is not { Length: > 0 } head)
        {
            throw new GitException(GitFaults.EmptyRepository, "the repository has no commit on its default branch", Hint);
        }

        return refs.DefaultBranch is { } standard && standard.StartsWith("refs/heads/", StringComparison.Ordinal)
            ? (standard, head)
            : throw new GitException(
                GitFaults.HeadDetached, "the origin's HEAD names no branch; give the task a branch",
                "or let HEAD at the origin name a branch again (git symbolic-ref HEAD refs/heads/main)");
    }

    private async Task<string> ForkAsync(string mirror, string branch, string start, string target, string head, CancellationToken token)
    {
        var forked = await git.TryAsync(mirror, token, "merge-base", start, head);
        return forked.Ok ? forked.Output.Trim()
            : throw new GitException(GitFaults.BranchMoved, $"the branch {branch} has no commit in common with {target}", "look at who pushed it; rename it on the origin if it is not this task's");
    }

    private async Task RequireAsync(string mirror, (string Name, string Commit)[] wanted, CancellationToken token)
    {
        var fetched = RemoteRefs.Parse(await git.RunAsync(mirror, token, ["for-each-ref", "--format=%(objectname)%09%(refname)", "--", .. wanted.Select(one => one.Name)]));
        foreach (var (name, commit) in wanted.Where(one => fetched[one.Name] != one.Commit))
        {
            throw new GitException(GitFaults.StaleBase, $"after the fetch {name} is {(fetched[name].Length > 0 ? fetched[name] : "missing")} here and {commit} on the origin",
                "the origin answers with different states; look for a cache or a replica in between");
        }
    }

    // The hub's own view of the branch, where it sends one.
    private static string? ExpectedHead(Run run) =>
        run.Assignment.Metadata is { ValueKind: JsonValueKind.Object } metadata && metadata.TryGetProperty("base_commit", out var commit)
            && commit.ValueKind == JsonValueKind.String && commit.GetString() is { Length: >= 7 and <= 64 } text && text.All(char.IsAsciiHexDigit) ? text : null;

    [LoggerMessage(EventIds.PrepareAgain, LogLevel.Warning, "{Run} {Task} attempt {Attempt} at the workspace failed: {Reason}; trying again", EventName = "PrepareAgain")]
    private partial void LogPrepareAgain(string run, string task, int attempt, string reason);
}
