using System.IO.Enumeration;

namespace FleetSidecar.Identity;

/// <summary>Which paths a configured path means, in the way git's glob pathspecs mean them. Pure.</summary>
internal static class IdentityPattern
{
    private static readonly char[] Wild = ['*', '?'];

    public static bool IsPattern(string path) => path.IndexOfAny(Wild) >= 0;

    /// <summary>What is wrong with a configured path, or null.</summary>
    public static string? Complaint(string path) =>
        path.Length is 0 or > 400 ? "must be 1 to 400 characters"
        : path.StartsWith('/') || path.EndsWith('/') || path.Split('/').Any(part => part is "" or "." or ".." || part.Equals(".git", StringComparison.OrdinalIgnoreCase)) ? "must be a plain path inside the tree"
        : path.Any(letter => char.IsControl(letter) || letter is '[' or ']' or '\\') ? "holds a letter that is not allowed here (control characters, '[', ']', '\\')"
        : null;

    /// <summary>Segment by segment: <c>**</c> is any number of directories, <c>*</c> and <c>?</c> stay inside a name.</summary>
    public static bool Matches(string pattern, string path) => Matches(pattern.Split('/'), path.Split('/'));

    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> path)
    {
        if (pattern.IsEmpty)
        {
            return path.IsEmpty;
        }

        if (pattern[0] == "**")
        {
            for (var skipped = 0; skipped <= path.Length; skipped++)
            {
                if (Matches(pattern[1..], path[skipped..]))
                {
                    return true;
                }
            }

            return false;
        }

        return !path.IsEmpty && FileSystemName.MatchesSimpleExpression(pattern[0], path[0], ignoreCase: false) && Matches(pattern[1..], path[1..]);
    }

    /// <summary>The directories that must be directories for a path to be reached, outermost first; of a pattern, those before its first wild letter.</summary>
    public static IEnumerable<string> Parents(string path)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            if (IsPattern(path[..slash]))
            {
                yield break;
            }

            yield return path[..slash];
        }
    }
}
