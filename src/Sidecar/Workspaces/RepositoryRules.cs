using System.IO.Enumeration;

namespace FleetSidecar.Workspaces;

/// <summary>Which repositories may be fetched, and how branches are named. Pure.</summary>
internal static class RepositoryRules
{
    private static readonly string[] Schemes = ["https://", "http://", "ssh://", "git://", "file:///"];

    /// <summary>Why an address is refused, or null where it is fine.</summary>
    public static string? Refuse(string address, IReadOnlyList<string> allowed)
    {
        if (address.Length == 0 || address.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)) || address.StartsWith('-')
            || address.Contains("::", StringComparison.Ordinal))
        {
            return "the address of the repository has a form that is not allowed";
        }

        var known = Schemes.Any(scheme => address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) || address.StartsWith('/') || IsScp(address);
        return !known ? "the address of the repository is none of https, http, ssh, git, file, an absolute path or user@host:path"
            : allowed.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, address, ignoreCase: false)) ? null
            : "the repository is not in workspace.allowedRepositories";
    }

    /// <summary>The branch of a task: <c>AGENT/TASK</c>, made fit for a ref; see git-check-ref-format(1).</summary>
    public static string BranchFor(string agent, string task) => $"{Component(agent)}/{Component(task)}";

    // Ids are letters, digits, '.', '_' and '-' already; what is left to mend is how a component may end.
    private static string Component(string id) =>
        id.EndsWith(".lock", StringComparison.OrdinalIgnoreCase) || id.EndsWith('.') ? id + "_" : id;

    private static bool IsScp(string address)
    {
        var colon = address.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && address[..colon].Contains('@', StringComparison.Ordinal) && !address[..colon].Contains('/', StringComparison.Ordinal)
            && !address.Contains("://", StringComparison.Ordinal);
    }
}
