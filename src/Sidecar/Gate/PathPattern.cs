using System.IO.Enumeration;

namespace FleetSidecar.Gate;

/// <summary>Whether a path of a repository fits a pattern of the gate. Pure, and quick whatever the path is.</summary>
internal static class PathPattern
{
    public static bool FitsAny(string path, IEnumerable<string> patterns, bool ignoreCase) => patterns.Any(pattern => Fits(path, pattern, ignoreCase));

    public static bool Fits(string path, string pattern, bool ignoreCase)
    {
        var names = path.Split('/');
        var parts = pattern.Contains('/', StringComparison.Ordinal) || pattern == "**" ? pattern.Split('/') : ["**", pattern];

        // reached[n]: the parts so far fit the first n names. Never more steps than parts times names.
        var reached = new bool[names.Length + 1];
        reached[0] = true;
        foreach (var part in parts)
        {
            if (part == "**")
            {
                for (var name = 1; name <= names.Length; name++)
                {
                    reached[name] |= reached[name - 1];
                }

                continue;
            }

            for (var name = names.Length; name > 0; name--)
            {
                reached[name] = reached[name - 1] && FileSystemName.MatchesSimpleExpression(part, names[name - 1], ignoreCase);
            }

            reached[0] = false;
        }

        return reached[names.Length];
    }
}
