namespace FleetSidecar.Protocol;

/// <summary>The forms of repository and branch that a task may name: those that cannot make git run a program or take an option.</summary>
public static class RepositoryAddress
{
    private const string FileScheme = "file://";
    private static readonly string[] Schemes = ["https://", "http://", "ssh://", "git://", FileScheme + "/"];

    /// <summary>What is wrong with an address, or null: https, http, ssh, git, file, an absolute path or <c>user@host:path</c>, at most <see cref="WireLimits.MaxRepo"/> characters.</summary>
    public static string? Complaint(string address) =>
        address.Length is 0 or > WireLimits.MaxRepo ? $"must be 1 to {WireLimits.MaxRepo} characters"
        : address.Any(char.IsControl) || address.StartsWith('-') || address.Contains("::", StringComparison.Ordinal) ? "has a form that is not allowed"
        : address.StartsWith('/') ? null
        : address.Any(char.IsWhiteSpace) ? "holds a space"
        : Schemes.Any(scheme => address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) || IsScp(address) ? null
        : "is none of https, http, ssh, git, file, an absolute path or user@host:path";

    /// <summary>The directory that an address names on the machine where git runs; null for an address of another machine.</summary>
    public static string? LocalPath(string address) =>
        address.StartsWith('/') ? address
        : address.StartsWith(FileScheme, StringComparison.OrdinalIgnoreCase) ? address[FileScheme.Length..]
        : null;

    /// <summary>What is wrong with a branch name, or null; see git-check-ref-format(1).</summary>
    public static string? BranchComplaint(string branch) =>
        branch.Length is 0 or > WireLimits.MaxName ? $"must be 1 to {WireLimits.MaxName} characters"
        : branch.StartsWith('-') || branch.StartsWith('/') || branch.EndsWith('/') || branch.EndsWith('.') || branch.EndsWith(".lock", StringComparison.Ordinal)
            || branch.Contains("..", StringComparison.Ordinal) || branch.Contains("//", StringComparison.Ordinal) || branch.Contains("@{", StringComparison.Ordinal)
            || branch.Any(letter => char.IsControl(letter) || " ~^:?*[\\".Contains(letter, StringComparison.Ordinal)) ? "is not a branch name that git takes"
        : null;

    private static bool IsScp(string address)
    {
        var colon = address.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && address[..colon].Contains('@', StringComparison.Ordinal) && !address[..colon].Contains('/', StringComparison.Ordinal)
            && !address.Contains("://", StringComparison.Ordinal);
    }
}
