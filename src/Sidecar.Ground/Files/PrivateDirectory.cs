namespace FleetSidecar.Ground.Files;

/// <summary>A directory that our own user alone may enter, so that the modes of what lies below do not matter to
/// others.</summary>
public static class PrivateDirectory
{
    /// <summary>Owner only, 0700.</summary>
    public const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes it, or closes one that is there: an earlier version, or a lax umask, may have left it open. A
    /// link, and what belongs to another user, is left alone.</summary>
    public static void Make(string path)
    {
        ClearPlace.For(path);
        Directory.CreateDirectory(path, Mode);
        Allow(path, Mode);
    }

    /// <summary>Takes from a directory of our own every permission that is not in <paramref name="most"/>.</summary>
    public static void Allow(string path, UnixFileMode most)
    {
        if (PathFacts.Of(path) is { Kind: PathKind.Directory } facts
            && (facts.Mode & ~most) != 0 && facts.Owner == UnixAccounts.Self)
        {
            File.SetUnixFileMode(path, facts.Mode & most);
        }
    }
}
