namespace FleetSidecar.Gate;

/// <summary>What is wrong with the name of a file or the target of a link in a repository. Pure.</summary>
internal static class PathRules
{
    /// <summary>Why a path could do harm where it is checked out, or null.</summary>
    public static string? Danger(string path)
    {
        // What file systems that fold case, drop trailing dots and blanks, or know short names make of a name.
        var names = path.Split('/').Select(name => name.TrimEnd(' ', '.')).ToList();
        return path.Length == 0 || path.Split('/').Any(name => name is "" or "." or "..") ? "is no path inside the repository"
            : names.Exists(name => name.Equals(".git", StringComparison.OrdinalIgnoreCase) || name.Equals("git~1", StringComparison.OrdinalIgnoreCase)) ? "is inside git's own directory"
            : null;
    }

    /// <summary>Why a person should look at a path before a tool does, or null.</summary>
    public static string? Oddity(string path) =>
        path.Any(char.IsControl) ? "holds a line break or another control character"
        : path.Contains('\uFFFD', StringComparison.Ordinal) ? "is not UTF-8"
        : path.Any(letter => char.GetUnicodeCategory(letter) is System.Globalization.UnicodeCategory.Format) ? "holds invisible characters"
        : path.Split('/').Any(name => name.StartsWith('-')) ? "looks like an option"
        : path.Contains('\\', StringComparison.Ordinal) ? "holds a backslash"
        : null;

    /// <summary>True where a link leads out of the repository, into git's own directory, or where that cannot be seen from its text.</summary>
    /// <remarks>Going up is clear only from the link's own directory: after the name of another link <c>..</c> can be anywhere.</remarks>
    public static bool LeadsOut(string path, string target)
    {
        var (depth, down) = (path.Count(letter => letter == '/'), false);
        if (target.Length == 0 || target.StartsWith('/') || target.Contains('\0', StringComparison.Ordinal) || target.Contains('\\', StringComparison.Ordinal))
        {
            return true;
        }

        foreach (var name in target.Split('/').Where(name => name is not ("" or ".")))
        {
            if (name == ".." && (down || --depth < 0))
            {
                return true;
            }

            down |= name != "..";
            if (name.TrimEnd(' ', '.').Equals(".git", StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
