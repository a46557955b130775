using System.IO.Enumeration;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Which repositories may be fetched.</summary>
/// <remarks>
/// For a directory of this machine both sides of git run as the daemon, and the other side does what that repository's
/// configuration says. So no pattern covers one: the operator names each, and nobody else may write it.
/// </remarks>
internal static class RepositoryRules
{
    /// <summary>Why a task's repository is refused and what to do, or null where it is fine.</summary>
    public static GitException? Refuse(string address, SidecarConfig config) =>
        Refuse(address, config.Workspace.AllowedRepositories) ?? (RepositoryAddress.LocalPath(address) is { } path ? RefuseLocal(path, config) : null);

    /// <summary>The same by the address alone. Pure.</summary>
    public static GitException? Refuse(string address, IReadOnlyList<string> allowed) =>
        RepositoryAddress.Complaint(address) is { } complaint
            ? new GitException(GitFaults.BadAddress, $"the address of the repository {complaint}", "submit the task anew with another address")
        : RepositoryAddress.LocalPath(address) is not null ? allowed.Contains(address, StringComparer.Ordinal) ? null
            : new GitException(GitFaults.Forbidden, "the repository is a directory of this machine, and workspace.allowedRepositories does not name it word for word", "name it there without '*' if agents may work on it, or serve it by git-daemon, ssh or https")
        : allowed.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, address, ignoreCase: false)) ? null
        : new GitException(GitFaults.Forbidden, "the repository is not in workspace.allowedRepositories", "name it there if agents may work on it");

    private static GitException? RefuseLocal(string path, SidecarConfig config)
    {
        string[] ours = [config.StateDirectory, config.RunsDirectory, config.WorkspacesDirectory, config.MirrorsDirectory, config.ResultsDirectory];
        return ours.Any(place => RealPath.IsInside(path, place))
                ? new GitException(GitFaults.Forbidden, $"{path} lies in the sidecar's own directories, where agents write", "keep origins elsewhere")
            : Git.DoubtIn(path) is { } doubt
                ? new GitException(GitFaults.Untrusted, $"{path} is in other hands: {doubt}", "give it to root or to the service's user, or serve it by git-daemon, ssh or https")
            : null;
    }
}
