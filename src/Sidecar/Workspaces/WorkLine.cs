using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Where an agent's work is in its clone, whatever branch it made for itself.</summary>
/// <param name="Commit">The commit to deliver; empty where there is none.</param>
/// <param name="Note">What is odd about it, for the report; null where nothing is.</param>
/// <param name="Problem">Why nothing can be delivered; null where it can.</param>
internal sealed record WorkLine(string Commit, string? Note, string? Problem)
{
    /// <summary>Looks for it: HEAD and the task's branch should be one line of work.</summary>
    public static async Task<WorkLine> FindAsync(Origin origin, string work, string branch, CancellationToken token)
    {
        var head = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")).Output.Trim();
        var tip = (await origin.AskAsync(work, token, "rev-parse", "--verify", "--quiet", $"refs/heads/{branch}^{{commit}}")).Output.Trim();
        var on = (await origin.AskAsync(work, token, "symbolic-ref", "--quiet", "HEAD")).Output.Trim();
        var where = on.Length == 0 ? "a detached HEAD" : $"'{Printable.Cut(on.StartsWith("refs/heads/", StringComparison.Ordinal) ? on["refs/heads/".Length..] : on, 100)}'";
        if (head.Length == 0)
        {
            return tip.Length > 0 ? new WorkLine(tip, $"the agent left {where} without a commit", null) : new WorkLine("", null, "neither HEAD nor the task's branch names a commit");
        }

        if (tip.Length == 0 || tip == head || await StandsOnAsync(origin, work, tip, head, token))
        {
            return new WorkLine(head, on == $"refs/heads/{branch}" ? null : $"made on {where}, delivered on {branch}", null);
        }

        return await StandsOnAsync(origin, work, head, tip, token)
            ? new WorkLine(tip, $"the agent left {where}, an older commit", null)
            : new WorkLine("", null, $"there are two lines of work, {where} and {branch}, and neither holds the other");
    }

    public static async Task<bool> StandsOnAsync(Origin origin, string work, string below, string above, CancellationToken token) =>
        (await origin.AskAsync(work, token, "merge-base", "--is-ancestor", below, above)).ExitCode == 0;
}
