namespace FleetSidecar.Workspaces;

/// <summary>Which side of a connection a line of git's errors comes from.</summary>
internal enum GitSide
{
    Any,

    /// <summary>This machine.</summary>
    Ours,

    /// <summary>The origin.</summary>
    Theirs,
}

/// <summary>Words by which a fault is known.</summary>
/// <param name="Words">Part of a line; capital and small letters are the same.</param>
/// <param name="Code">One of the codes of <see cref="GitFaults"/>.</param>
/// <param name="Side">Whose line it has to be.</param>
internal sealed record GitSign(string Words, string Code, GitSide Side = GitSide.Any)
{
    // What the origin's programs say comes as "remote:"; what a forge says before git speaks, as "ERROR:" or "conq:".
    private static readonly string[] TheirStarts =
        ["remote:", "! [remote", "fatal: remote error:", "error: remote", "ERROR:", "FATAL:", "conq:", "error: unpack failed"];

    /// <summary>What git or a forge says in passing. A hook that declines for good may use the same words of something else.</summary>
    /// <remarks>A hook that ran proves that the origin was reached, that it knew us, and that the branch had not moved.</remarks>
    public bool MayBeQuotedByHook => Code is GitFaults.RateLimited or GitFaults.RefLocked or GitFaults.AuthFailed or GitFaults.NotFound or GitFaults.BranchMoved
        or GitFaults.HostKey or GitFaults.Tls or GitFaults.HostNotFound || Words.StartsWith("No space left", StringComparison.Ordinal);

    public bool IsIn(string line) => line.Contains(Words, StringComparison.OrdinalIgnoreCase)
        && (Side == GitSide.Any || IsTheirs(line) == (Side == GitSide.Theirs));

    /// <summary>Whether the origin, or a forge, says something in this line.</summary>
    public static bool IsWordOfTheirs(string line) => TheirStarts.Any(start => line.StartsWith(start, StringComparison.Ordinal) && line.Length > start.Length);

    private static bool IsTheirs(string line) =>
        TheirStarts.Any(start => line.StartsWith(start, StringComparison.Ordinal));
}
