namespace FleetSidecar.Ground.Files;

/// <summary>Makes room for a directory of ours where something else stands: an agent of the same user may have put a pipe, a file or a dead link there.</summary>
public static class ClearPlace
{
    /// <summary>Between the name of a place and what makes the name of a thing that stood there its own.</summary>
    public const string Mark = ".replaced-";

    private const int SuffixLength = 32;

    /// <summary>The place where this once stood, or null for anything else.</summary>
    public static string? PlaceOf(string path) =>
        path.LastIndexOf(Mark, StringComparison.Ordinal) is > 0 and var at && path[(at + Mark.Length)..] is { Length: SuffixLength } suffix && suffix.All(char.IsAsciiHexDigitLower) ? path[..at] : null;

    /// <summary>Renames what is no file where one of ours belongs, so that to open it neither waits nor fails; nothing is removed.</summary>
    /// <param name="path">The file's place.</param>
    /// <param name="mayLink">A link to a file stays: operators move files that way.</param>
    /// <returns>Where it is now, or null where there was nothing to do.</returns>
    /// <exception cref="IOException">It cannot be renamed.</exception>
    public static string? ForFile(string path, bool mayLink = false)
    {
        if (PathFacts.Of(path) is not { } facts || facts.Kind == PathKind.File || (mayLink && IsLinkToFile(path, facts)))
        {
            return null;
        }

        return Rename(path, facts);
    }

    /// <summary>Renames what stands there, whatever it is; nothing is removed.</summary>
    /// <param name="path">The place.</param>
    /// <param name="facts">What was found there.</param>
    /// <returns>Where it is now.</returns>
    /// <exception cref="IOException">It cannot be renamed.</exception>
    public static string Rename(string path, PathFacts facts)
    {
        var aside = $"{path}{Mark}{Guid.NewGuid():N}";
        if (facts.Kind == PathKind.Directory)
        {
            Directory.Move(path, aside);
        }
        else
        {
            FileRename.Over(path, aside);
        }

        return aside;
    }

    private static bool IsLinkToFile(string path, PathFacts facts) =>
        facts.Kind == PathKind.Link && RealPath.Of(path) is { } real && PathFacts.Of(real) is { Kind: PathKind.File };

    /// <summary>Renames what is no directory and leads to none; nothing is removed. A link to a directory stays: operators move directories that way.</summary>
    /// <returns>Where it is now, or null where there was nothing to do.</returns>
    /// <exception cref="IOException">It cannot be renamed.</exception>
    public static string? For(string path)
    {
        if (PathFacts.Of(path) is not { } facts || facts.Kind == PathKind.Directory || Directory.Exists(path))
        {
            return null;
        }

        return Rename(path, facts);
    }
}
