namespace FleetSidecar.Ground.Files;

/// <summary>Tells whether only root and this user could have put there what stands at a path.</summary>
/// <remarks>
/// A user who may write the file, a directory above it, or a link on the path decides what is found there. Each step must
/// therefore belong to root or to this user, and no other user may write it. A directory with the sticky bit
/// (<c>/tmp</c>) lets others add names, and neither remove nor rename ours. An access list that gives somebody more shows in
/// the group's bits; a group counts as somebody else unless this machine's own files say that it has no other member. What
/// is missing at the end is in no foreign hands as long as nobody else may put it there. May say too little of file
/// systems that keep no owners.
/// </remarks>
public static class TrustedPath
{
    private const int MostLinks = 40;
    private const UnixFileMode Sticky = UnixFileMode.StickyBit;

    /// <summary>Whether this program runs as root.</summary>
    public static bool IsRoot => UnixAccounts.Self == 0;

    /// <summary>In whose hands else it is, in words; null where in nobody's.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="user">Who is trusted besides root; null for the user that this program runs as.</param>
    public static string? Doubt(string path, uint? user = null)
    {
        if (!Path.IsPathFullyQualified(path))
        {
            return $"{path} is no absolute path";
        }

        var (self, at, links) = (user ?? UnixAccounts.Self, "/", 0);
        if (PathFacts.Of(at) is { } root && Doubt(at, root, self) is { } everywhere)
        {
            return everywhere;
        }

        var rest = new Stack<string>(Steps(path));
        while (rest.TryPop(out var name))
        {
            if (name == "..")
            {
                at = Path.GetDirectoryName(at) ?? "/"; // Every link before it was followed already.
                continue;
            }

            var next = Path.Combine(at, name);
            if (PathFacts.Of(next) is not { } facts)
            {
                return PathFacts.Fault(next) is { } why ? $"{next} cannot be looked at: {why}" : null;
            }

            if (Doubt(next, facts, self) is { } doubt)
            {
                return doubt;
            }

            if (facts.Kind != PathKind.Link)
            {
                at = next;
            }
            else if (++links > MostLinks || new FileInfo(next).LinkTarget is not { } target)
            {
                return $"{next} is a link that cannot be followed";
            }
            else
            {
                at = target.StartsWith('/') ? "/" : at;
                foreach (var step in Steps(target))
                {
                    rest.Push(step);
                }
            }
        }

        return null;
    }

    private static string? Doubt(string path, PathFacts facts, uint self)
    {
        if (facts.Owner != 0 && facts.Owner != self)
        {
            return $"{path} belongs to {UnixAccounts.NameOf(facts.Owner)}";
        }

        return facts.Kind switch
        {
            PathKind.Link => null, // A link has no mode of its own.
            PathKind.Socket or PathKind.Other => $"{path} is neither a file nor a directory",
            PathKind.Directory when (facts.Mode & Sticky) != 0 => null,
            _ when (facts.Mode & UnixFileMode.OtherWrite) != 0 => $"{path} may be written by everybody",
            _ when (facts.Mode & UnixFileMode.GroupWrite) != 0 && facts.Group != 0 && !UnixAccounts.IsOnlyOf(facts.Group, self) => $"{path} may be written by its group",
            _ => null,
        };
    }

    // The last step first, as a stack takes them.
    private static IEnumerable<string> Steps(string path) => path.Split('/').Where(name => name is not ("" or ".")).Reverse();
}
