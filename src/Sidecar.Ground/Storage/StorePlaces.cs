using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>The places of a store's files, before the engine opens what stands there.</summary>
internal static class StorePlaces
{
    private static readonly string[] Beside = ["-wal", "-shm", "-journal"];

    /// <summary>Renames whatever is no file: the engine would wait at a pipe.</summary>
    /// <remarks>What was committed in a log that such a thing replaced is missed afterwards, by its count.</remarks>
    /// <param name="path">The database; a link to a file stays.</param>
    /// <param name="marks">Further files of ours.</param>
    public static void Clear(string path, params string[] marks)
    {
        ClearPlace.ForFile(path, mayLink: true);
        foreach (var place in Beside.Select(suffix => path + suffix).Concat(marks))
        {
            ClearPlace.ForFile(place);
        }
    }

    /// <summary>The first place in which something else than a file stands, or null.</summary>
    public static string? NoFile(string path) =>
        Beside.Select(suffix => path + suffix).Prepend(path)
            .FirstOrDefault(file => PathFacts.Of(RealPath.Of(file) ?? file) is { Kind: not PathKind.File });

    /// <summary>Takes every right from others: a file that was restored by hand may have come with any mode. Where it belongs to another user, that one's word counts.</summary>
    public static void CloseToOthers(string path, UnixFileMode most)
    {
        foreach (var file in Beside.Select(suffix => path + suffix).Prepend(path))
        {
            if (PathFacts.Of(file) is { Kind: PathKind.File } facts && (facts.Mode & ~most) != 0)
            {
                try
                {
                    File.SetUnixFileMode(file, facts.Mode & most);
                }
                catch (UnauthorizedAccessException)
                {
                }
            }
        }
    }
}
