using System.IO.Enumeration;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Which repositories may be fetched. Pure.</summary>
internal static class RepositoryRules
{
    /// <summary>Why an address is refused and what to do, or null where it is fine.</summary>
    public static GitException? Refuse(string address, IReadOnlyList<string> allowed) =>
        RepositoryAddress.Complaint(address) is { } complaint
            ? new GitException(GitFaults.BadAddress, $"the address of the repository {complaint}", "submit the task anew with another address")
        : allowed.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, address, ignoreCase: false)) ? null
        : new GitException(GitFaults.Forbidden, "the repository is not in workspace.allowedRepositories", "name it there if agents may work on it");
}
