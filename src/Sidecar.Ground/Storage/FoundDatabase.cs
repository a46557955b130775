using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Storage;

/// <summary>Copies of a database whose writer was killed in the middle of a change, and of what the engine keeps beside it, in a directory of ours.</summary>
internal sealed class FoundDatabase : IDisposable
{
    // A journal has at most what the database has, and something to spare.
    private const int LargestFile = 64 * 1024 * 1024;
    private static readonly string[] Companions = ["-journal", "-wal"];

    private FoundDatabase(string path) => Path = path;

    /// <summary>The database's copy.</summary>
    public string Path { get; }

    /// <param name="database">The database.</param>
    /// <param name="beside">A name in a directory of ours; the copies have longer ones.</param>
    /// <exception cref="IOException">They changed meanwhile, cannot be read, or the journal names another file.</exception>
    public static FoundDatabase Of(string database, string beside)
    {
        var found = new FoundDatabase(SqliteFile.FoundName(beside));
        try
        {
            found.Clear();
            var before = Facts(database);
            foreach (var end in Companions.Prepend("").Where(end => PathFacts.Of(database + end) is not null))
            {
                // The tree of a sync by swap is a link; the file itself must be none.
                var bytes = OutsideFile.Read(database + end, LargestFile, followLink: false) ?? throw new IOException($"{database}{end} cannot be read, or has more than {LargestFile} bytes");
                using var copy = new FileStream(found.Path + end, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
                copy.Write(bytes);
            }

            SqliteJournal.RequireOwn(found.Path);
            return before.SequenceEqual(Facts(database)) ? found : throw new IOException($"{database} is being written");
        }
        catch
        {
            found.Clear();
            throw;
        }
    }

    public void Dispose() => Clear();

    private void Clear()
    {
        foreach (var end in Companions.Append("-shm").Prepend(""))
        {
            File.Delete(Path + end);
        }
    }

    private static List<PathFacts?> Facts(string database) => [.. Companions.Prepend("").Select(end => PathFacts.Of(database + end))];
}
