using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>The rollback journal beside a database of somebody else. The engine takes one back for whoever opens the database to write.</summary>
internal static class SqliteJournal
{
    // What a journal ends with that names a super-journal: a file that the engine removes once all journals of a change are taken back.
    private static readonly byte[] NamesAnother = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

    /// <summary>Refuses one that names another file, which may be ours. Programs that write one database at a time leave none.</summary>
    /// <remarks>May get wrong: who puts it there between this look and the opening. Where others may write, the opening needs a <see cref="ChangeLimit"/>.</remarks>
    /// <exception cref="IOException">It does, or it is no file.</exception>
    public static void RequireOwn(string database)
    {
        var path = $"{database}-journal";
        if (PathFacts.Of(path) is not { } facts)
        {
            return;
        }

        var end = new byte[NamesAnother.Length];
        using var journal = facts.Kind == PathKind.File ? OutsideFile.OpenBehindLinks(path) : null; // The tree of a sync by swap is a link.
        if (journal is not { IsInvalid: false } || (facts.Length >= end.Length && RandomAccess.Read(journal, end, facts.Length - end.Length) == end.Length && end.AsSpan().SequenceEqual(NamesAnother)))
        {
            throw new IOException($"{path} is not what one program leaves: it is no file, or names another one");
        }
    }
}
