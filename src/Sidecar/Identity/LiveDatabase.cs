using System.Globalization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Identity;

/// <summary>A SQLite database that an agent may be writing. The engine opens it in a process of its own, which is ended after a time.</summary>
/// <remarks>The engine opens a journal beside a database by its name and waits for the other end of a pipe there without an end; and a schema
/// contains expressions that an agent may have written. In the daemon, the wait would hold every run that starts, and the work would be the daemon's own.</remarks>
internal sealed class LiveDatabase(IdentityPaths paths, ToolRunner tools, TimeProvider time)
{
    /// <summary>The words that a helper's one line begins with.</summary>
    public const string Done = "done", Damaged = "damaged", Failed = "failed";

    /// <summary>The helper's command, and its two tasks.</summary>
    public const string Command = "live-database", SnapshotTask = "snapshot", MergeTask = "merge";

    /// <summary>Largest file that a helper may write: a journal has at most what the database has, and something to spare.</summary>
    public const long LargestWritten = 4L * IdentitySources.LargestFile;

    /// <summary>After this a helper ends itself, whatever became of its parent.</summary>
    public static readonly TimeSpan LongestLife = TimeSpan.FromMinutes(2);

    // The engine waits five seconds for a lock. Every run that starts waits for this look.
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(20), LongestMerge = TimeSpan.FromSeconds(90);

    // One that was late makes the looks after it short: an agent may have many that are.
    private static readonly TimeSpan ShortLook = TimeSpan.FromSeconds(3), Forgiven = TimeSpan.FromMinutes(2);

    private int _copies;
    private long? _late;

    /// <summary>The first of the files beside a database that is no file, or null.</summary>
    private static string? OddCompanion(string path) => IdentityBook.Companions(path).FirstOrDefault(name => PathFacts.Of(name) is { Kind: not PathKind.File });

    // The helper takes no other way: the tree may be a link, and nothing below it is one.
    private string Real(string path) => path.StartsWith(paths.Tree + "/", StringComparison.Ordinal) && RealPath.Of(paths.Tree) is { } tree ? tree + path[paths.Tree.Length..]
        : RealPath.Of(Path.GetDirectoryName(path)!) is { } directory ? Path.Combine(directory, Path.GetFileName(path)) : path;

    // Of the way through the tree, the database itself with it. The tree is a link of the operator's where it is synced by swap.
    private string? Detour(string path)
    {
        var inside = path.StartsWith(paths.Tree + "/", StringComparison.Ordinal) ? path[(paths.Tree.Length + 1)..] : Path.GetFileName(path);
        var root = path[..^inside.Length];
        return IdentityPattern.Parents(inside).Append(inside).Select(name => root + name).FirstOrDefault(name => PathFacts.Of(name) is { Kind: PathKind.Link });
    }

    /// <summary>A copy of everything that is committed, as one file.</summary>
    /// <exception cref="InvalidDataException">It is no sound database.</exception>
    /// <exception cref="IOException">It cannot be read now.</exception>
    /// <param name="path">The database.</param>
    /// <param name="copy">Where the copy is made.</param>
    /// <param name="isOfSync">A sync that is killed leaves nothing at work.</param>
    public void Snapshot(string path, string copy, bool isOfSync = false)
    {
        var isLate = _late is { } late && time.GetElapsedTime(late) < Forgiven;
        try
        {
            Ask([SnapshotTask, path, copy], isLate ? ShortLook : LongestLook, isOfSync);
        }
        catch (LateException)
        {
            _late = time.GetTimestamp();
            throw;
        }
    }

    /// <summary>Adds to a book of ours what another has; how many rows were added.</summary>
    /// <param name="book">Ours.</param>
    /// <param name="theirs">The other, in a directory of ours.</param>
    /// <param name="table">The table of both.</param>
    /// <param name="key">The column that names a contact.</param>
    /// <param name="offered">The list of keys that are not added.</param>
    /// <exception cref="IOException">The two do not fit, or a file cannot be used.</exception>
    public int Merge(string book, string theirs, string table, string key, string offered) =>
        int.TryParse(Ask([MergeTask, book, theirs, table, key, offered], LongestMerge, isOfSync: true), NumberStyles.None, CultureInfo.InvariantCulture, out var added)
            ? added : throw new IOException("the process that adds contacts did not say how many");

    /// <summary>Looks at a copy and removes it.</summary>
    public T Look<T>(Func<string, T> look)
    {
        // Names of this process's own: 'identity check' and the daemon's self-test look without the lock.
        Directories.Make(paths.Looks);
        var copy = Path.Combine(paths.Looks, $"{Environment.ProcessId}-{Interlocked.Increment(ref _copies)}.db");
        try
        {
            File.Delete(copy);
            return look(copy);
        }
        finally
        {
            // A helper that was ended leaves its own copies behind.
            foreach (var name in new[] { copy, SqliteFile.FoundName(copy) }.SelectMany(one => IdentityBook.Companions(one).Prepend(one)))
            {
                File.Delete(name);
            }
        }
    }

    private string Ask(string[] task, TimeSpan limit, bool isOfSync)
    {
        // The runtime's own files for diagnostics would stay behind: they lie where the helper may change nothing.
        Dictionary<string, string> environment = new() { ["DOTNET_EnableDiagnostics"] = "0" };
        if (isOfSync)
        {
            environment[UpstreamRepository.Mark] = paths.Home;
        }

        if (OddCompanion(task[1]) is { } odd)
        {
            throw new IOException($"{odd} is not a file; the next sync takes it away");
        }

        if (Detour(task[1]) is { } detour)
        {
            throw new IOException($"{detour} is a symbolic link, and its maker would choose what is opened");
        }

        ToolOutcome end;
        try
        {
            end = tools.RunAsync([Environment.ProcessPath ?? "fleet-sidecar", Command, task[0], Real(task[1]), .. task[2..]], environment, "/", limit, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (SpawnException fault)
        {
            throw new IOException($"no process could be started that reads it: {fault.Message}", fault);
        }

        var said = end.Output.Split('\n')[0].Split(' ', 2);
        return said switch
        {
            _ when end.TimedOut => throw new LateException($"{task[1]} could not be read within {limit.TotalSeconds:0} s"),
            [Done, var result] => result,
            [Damaged, var why] => throw new InvalidDataException(why),
            [Failed, var why] => throw new IOException(why),
            _ => throw new IOException($"the process that reads {task[1]} ended with exit code {end.ExitCode}"),
        };
    }

    private sealed class LateException(string message) : IOException(message);
}
