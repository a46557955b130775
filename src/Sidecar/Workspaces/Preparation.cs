using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>Makes a run's workspace on the right commit, or says why there is none. An agent is never woken without.</summary>
internal sealed partial class Preparation(SidecarConfig config, Git git, Origin origin, Mirrors mirrors, Clones clones, TimeProvider time, ILogger<Preparation> log)
{
    private const int Attempts = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    /// <summary>Prepares; what time may mend, a damaged mirror too, is tried again.</summary>
    /// <exception cref="GitException">The workspace could not be made whole.</exception>
    public async Task<RunFacts> PrepareAsync(Run run, CancellationToken token)
    {
        if (RepositoryRules.Refuse(run.Assignment.Repo!, config.Workspace.AllowedRepositories) is { } refusal)
        {
            throw refusal;
        }

        var damaged = false;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await PrepareOnceAsync(run, damaged, token);
            }
            catch (GitException fault) when (attempt < Attempts && (fault.IsPassing || fault.Code == GitFaults.Damaged))
            {
                damaged = fault.Code == GitFaults.Damaged;
                LogPrepareAgain(run.Id, run.TaskId, attempt, fault.Message);
                await Task.Delay(FirstPause * Math.Pow(2, attempt - 1), time, token);
            }
        }
    }

    private async Task<RunFacts> PrepareOnceAsync(Run run, bool damaged, CancellationToken token)
    {
        var address = run.Assignment.Repo!;
        var branch = RefNames.Branch(config.Agent.Id, run.TaskId);
        var mirror = await mirrors.RefreshAsync(address, damaged, token);

        // After the fetch: what the origin shows now must be what was fetched.
        var named = run.Assignment.Branch is { Length: > 0 } wanted ? $"refs/heads/{wanted}" : null;
        var refs = await origin.RefsAsync(address, token, ["HEAD", .. named is null ? [] : new[] { named }, $"refs/heads/{branch}", RefNames.Attempts(run.TaskId)]);
        if (refs.HighestGeneration(run.TaskId) is var highest && highest > run.Generation)
        {
            throw Stale(run, highest);
        }

        var target = named ?? refs.DefaultBranch ?? throw new GitException(GitFaults.EmptyRepository, "the repository has no commit on its default branch", "push a first commit, or name an existing branch in the task");
        var head = named is null ? refs["HEAD"] : refs[named];
        if (head.Length == 0)
        {
            throw new GitException(named is null ? GitFaults.EmptyRepository : GitFaults.NoBranch,
                named is null ? "the repository has no commit on its default branch" : $"the origin has no branch {run.Assignment.Branch}",
                "push a first commit, or name an existing branch in the task");
        }

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
