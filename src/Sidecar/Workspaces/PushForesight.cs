using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Workspaces;

/// <summary>Finds out before the wake whether the push at the end would be refused, so that no agent works for nothing.</summary>
/// <remarks>
/// Known beforehand: names that exclude each other, a credential that may not write, an origin that takes no pushes at all.
/// Not known: what hooks and branch rules decide on when they see the commits; git asks an origin for neither.
/// </remarks>
internal sealed partial class PushForesight(Git git, ILogger<PushForesight> log)
{
    private const string Again = "submit the task again after that";

    /// <summary>Why the task's refs cannot be made beside those that the origin has; null where they can. Pure.</summary>
    public static GitException? Conflict(RemoteRefs refs, string agent, string task)
    {
        var branch = RefNames.Branch(agent, task);
        var below = RefNames.Below(branch).TrimEnd('*');
        if (RefNames.Above(agent, task).FirstOrDefault(name => refs[name].Length > 0) is { } above)
        {
            return Taken(above, IsBranch(above) ? $"refs/heads/{branch}" : RefNames.Attempts(task));
        }

        var inside = refs.All.Keys.Order(StringComparer.Ordinal)
            .FirstOrDefault(name => name.StartsWith(below, StringComparison.Ordinal));
        return inside is null ? null : Taken(inside, $"refs/heads/{branch}");
    }

    /// <summary>Asks the origin with a push that changes nothing. A network that fails meanwhile says nothing about permission.</summary>
    /// <param name="run">The run.</param>
    /// <param name="mirror">Where its start is.</param>
    /// <param name="branch">The task's branch.</param>
    /// <param name="start">Where the branch is, or begins.</param>
    /// <param name="token">Gives up.</param>
    /// <exception cref="GitException">The origin would refuse.</exception>
    public async Task AskAsync(Run run, string mirror, string branch, string start, CancellationToken token)
    {
        var address = run.Assignment.Repo!;
        string[] push = ["push", "--dry-run", "--quiet", "--no-verify", "--", address, $"{start}:refs/heads/{branch}"];
        var asked = await git.TryAsync(mirror, token, push);
        if (asked.Ok)
        {
            return;
        }

        var fault = GitFaults.Explain(push, asked);
        if (fault.IsPassing || fault.Code is GitFaults.BranchMoved)
        {
            LogPushNotForeseen(run.Id, run.TaskId, fault.Message);
            return;
        }

        if (run.Assignment.SkipVerification == true && IsDenial(fault.Code))
        {
            // A task of that kind may end without a commit: to look at a repository needs no right to write there.
            LogPushWouldFail(run.Id, run.TaskId, fault.Message);
            return;
        }

        throw Refusal(fault, address);
    }

    /// <summary>The same fault as what it means before the wake. Pure.</summary>
    public static GitException Refusal(GitException fault, string address)
    {
        // What was fetched a moment ago is there: it is the push that is not served.
        var isReadOnly = fault.Code == GitFaults.NotFound;
        var code = isReadOnly ? GitFaults.PushDenied : fault.Code;
        var isGit = address.StartsWith("git:", StringComparison.OrdinalIgnoreCase);
        var advice = isReadOnly && isGit
            ? "git:// serves this repository for reading only; submit the task with an ssh:// or https:// address"
            : GitFaults.HintFor(code);
        var text = $"the origin would not take the task's branch, so the agent was not woken: {fault.Text}; {advice}";
        return new GitException(code, text, Again);
    }

    private static bool IsDenial(string code) =>
        code is GitFaults.NotFound or GitFaults.AuthFailed or GitFaults.PushDenied or GitFaults.ReadOnly;

    private static bool IsBranch(string name) => name.StartsWith("refs/heads/", StringComparison.Ordinal);

    private static GitException Taken(string there, string wanted) => new(
        GitFaults.NameTaken,
        $"the origin has {there}, and beside it {wanted} cannot be made; rename {there} there"
            + (IsBranch(there) ? ", or give the agent another agent.id" : ""),
        Again);

    [LoggerMessage(EventIds.PushNotForeseen, LogLevel.Warning,
        "{Run}: whether the origin will take the work of {Task} could not be asked: {Reason}; "
        + "the agent is woken, the push comes at the end", EventName = "PushNotForeseen")]
    private partial void LogPushNotForeseen(string run, string task, string reason);

    [LoggerMessage(EventIds.PushWouldFail, LogLevel.Warning,
        "{Run}: the origin would not take commits of {Task}: {Reason}; "
        + "the agent is woken, because the task skips verification and may need no push", EventName = "PushWouldFail")]
    private partial void LogPushWouldFail(string run, string task, string reason);
}
