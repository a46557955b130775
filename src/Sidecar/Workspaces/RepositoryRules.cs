using System.IO.Enumeration;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Which repositories may be fetched, and how branches are named. Pure.</summary>
internal static class RepositoryRules
{
    /// <summary>Why an address is refused and what to do, or null where it is fine.</summary>
    public static (string Why, string Hint)? Refuse(string address, IReadOnlyList<string> allowed) =>
        RepositoryAddress.Complaint(address) is { } complaint ? ($"the address of the repository {complaint}", "submit the task anew with another address")
        : allowed.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, address, ignoreCase: false)) ? null
        : ("the repository is not in workspace.allowedRepositories", "name it there if agents may work on it");

    /// <summary>The branch of a task: <c>AGENT/TASK</c>, made fit for a ref; see git-check-ref-format(1).</summary>
    public static string BranchFor(string agent, string task) => $"{Component(agent)}/{Component(task)}";

    // Ids are letters, digits, '.', '_' and '-' already; what is left to mend is how a component may end.
    private static string Component(string id) =>
        id.EndsWith(".lock", StringComparison.OrdinalIgnoreCase) || id.EndsWith('.') ? id + "_" : id;
}
