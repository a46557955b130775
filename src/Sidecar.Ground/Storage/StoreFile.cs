using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using FleetSidecar.Ground.Files;
using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>Opens a SQLite file so that what it holds is never mistaken for nothing.</summary>
/// <remarks>
/// A new file is made under another name and renamed into place, so an empty or half file at the real name is damage and never
/// "no data yet". A damaged file is moved aside with a timestamp, log and shared memory with it, and a new one is begun; the
/// caller reports where the old one is. May get wrong: a write-ahead log that lost its tail looks like an older state (SQLite
/// drops frames without a valid checksum) where nothing is left to compare it with; the hub's view settles that.
/// </remarks>
public static class StoreFile
{
    private const string OpenCount = "SELECT MAX(count) FROM opened";
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // Log and shared memory get that of the file.
    private const int HeaderBytes = 100; // https://www.sqlite.org/fileformat.html

    /// <param name="path">The file.</param>
    /// <param name="applicationId">Whose it is.</param>
    /// <param name="migrations">What brings it up to date.</param>
    /// <param name="time">For the name of a damaged file.</param>
    /// <param name="mayBeOlder">A sound file without the log of the last one is used: a backup that was put back. Without this it counts as damaged, because what was decided last is not in it.</param>
    public static OpenedStore Open(string path, int applicationId, Migrations migrations, TimeProvider time, bool mayBeOlder = false)
    {
        SqliteEngine.Use();
        StorePlaces.Clear(path, OpenMark(path), Mark(path));
        string? movedTo = null;
        var (isOlder, found) = IsPresent(path) ? Look(path, applicationId) : (false, null);
        if (isOlder && !mayBeOlder)
        {
            found = "it was not closed and its log is gone";
        }

        if (found is { } damage)
        {
            movedTo = MoveAside(path, time);
            movedTo = $"{movedTo} ({damage})";
        }

        if (!File.Exists(path))
        {
            Create(path, applicationId, migrations);
        }

        StorePlaces.CloseToOthers(path, Mode);
        var connection = Connect(path, migrations);
        try
        {
            // Until a clean end this count stands in the log and in the mark. If the next start finds the mark, no log, and a lower
            // count in the file, the log was taken away with all that was committed in it. (A tool that opened and closed the
            // file after a crash has moved the log into it, and the count too.)
            Run(connection, "CREATE TABLE IF NOT EXISTS opened (count INTEGER NOT NULL)");
            var count = Scalar(connection, OpenCount) + 1;
            Run(connection, $"BEGIN IMMEDIATE; DELETE FROM opened; INSERT INTO opened VALUES ({count}); COMMIT");
            AtomicFile.Write(OpenMark(path), count.ToString(CultureInfo.InvariantCulture));
            return new OpenedStore(new Store(path, connection, OpenMark(path)), movedTo, isOlder && movedTo is null);
        }
        catch (SqliteException fault) when (StoreFaults.Explain(fault, path) is { } explained)
        {
            connection.Dispose();
            throw explained;
        }
    }

    /// <summary>Opens a file that nobody serves, for a command. Damage is left for the program that owns the file to move aside and report.</summary>
    /// <exception cref="StoreDamagedException">The file is damaged; it was not touched.</exception>
    public static Store OpenUndamaged(string path, int applicationId, Migrations migrations, TimeProvider time)
    {
        SqliteEngine.Use();
        return Look(path, applicationId) is { Damage: { } damage }
            ? throw new StoreDamagedException($"{path} is damaged: {damage}", "start the program that owns it: it moves the file aside and reports it")
            : Open(path, applicationId, migrations, time, mayBeOlder: true).Store;
    }

    /// <summary>Opens a file that another process owns, for a command that adds a row: nothing is checked, made or moved.</summary>
    public static Store OpenBeside(string path, int applicationId)
    {
        SqliteEngine.Use();
        try
        {
            var connection = OpenConnection(path);
            if (Scalar(connection, "PRAGMA application_id") != applicationId)
            {
                throw new ConfigurationException($"{path} belongs to another program", "name another directory");
            }

            Run(connection, "PRAGMA synchronous = FULL");
            return new Store(path, connection, null);
        }
        catch (SqliteException fault) when (StoreFaults.Explain(fault, path) is { } explained)
        {
            throw explained;
        }
    }

    // A log, or our own mark that a file was made here, without the file: somebody removed it. That is damage, not a fresh start.
    private static bool IsPresent(string path) => File.Exists(path) || File.Exists(path + "-wal") || File.Exists(Mark(path));

    private static long CountIn(SqliteConnection connection) =>
        Scalar(connection, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'opened'") == 0 ? 0 : Scalar(connection, OpenCount);

    private static long MarkedCount(string path) =>
        OutsideFile.Read(OpenMark(path), limit: 32, followLink: false) is { } text
        && long.TryParse(System.Text.Encoding.ASCII.GetString(text), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;

    private static string OpenMark(string path) => Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.open");

    private static string Mark(string path) => Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.made");

    // Whether the file is sound and older than what was opened last, and what is wrong with it.
    private static (bool IsOlder, string? Damage) Look(string path, int applicationId)
    {
        if (!File.Exists(path))
        {
            return (false, File.Exists(path + "-wal") ? "the file is gone but its log is there" : "the file is gone");
        }

        if (StorePlaces.NoFile(path) is { } odd)
        {
            return (false, $"{odd} is no file");
        }

        // The engine takes a file of a few bytes for a new database.
        if (!HasHeader(path))
        {
            return (false, $"the file has {new FileInfo(path).Length} bytes and no header");
        }

        if (WalCheck.Problem(path) is { } broken)
        {
            return (false, broken);
        }

        // Looked at first: opening the file makes a log.
        var lacksLog = !File.Exists(path + "-wal") || new FileInfo(path + "-wal").Length == 0;
        try
        {
            using var connection = OpenConnection(path);
            var owner = Scalar(connection, "PRAGMA application_id");
            if (owner != applicationId)
            {
                throw new ConfigurationException($"{path} belongs to another program (application id {owner})",
                    "name another state directory, or move that file away by hand");
            }

            var isOlder = lacksLog && CountIn(connection) < MarkedCount(path);
            using var check = connection.CreateCommand();
            check.CommandText = "PRAGMA quick_check(1)";
            var answer = check.ExecuteScalar() as string;
            return answer == "ok" ? (isOlder, null) : (false, answer?.ReplaceLineEndings(" ") ?? "quick_check gave no answer");
        }
        catch (SqliteException fault) when (StoreFaults.IsDamage(fault))
        {
            return (false, fault.Message);
        }
        catch (SqliteException fault) when (StoreFaults.Explain(fault, path) is { } explained)
        {
            throw explained;
        }
    }

    private static bool HasHeader(string path)
    {
        var header = new byte[HeaderBytes];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes && header.AsSpan().StartsWith("SQLite format 3\0"u8);
    }

    [SuppressMessage("ApiDesign", "RS0030", Justification = "The directory is ours alone, and what stands there must not be replaced.")]
    private static string MoveAside(string path, TimeProvider time)
    {
        var stamp = time.GetUtcNow().ToString("yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture);
        var aside = $"{path}.damaged-{stamp}";

        // The main file goes last: a crash in between leaves it in place and the next start does the rest.
        foreach (var suffix in new[] { "-shm", "-wal", "" })
        {
            if (File.Exists(path + suffix))
            {
                File.Move(path + suffix, aside + suffix);
            }
        }

        File.Delete(OpenMark(path));
        DirectorySync.Flush(Path.GetDirectoryName(path)!);
        return aside;
    }

    [SuppressMessage("ApiDesign", "RS0030", Justification = "The directory is ours alone, and what stands there must not be replaced.")]
    private static void Create(string path, int applicationId, Migrations migrations)
    {
        var beside = path + ".new";
        foreach (var leftover in new[] { beside, beside + "-wal", beside + "-shm", beside + "-journal" })
        {
            File.Delete(leftover);
        }

        try
        {
            using (var connection = OpenConnection(beside))
            {
                Run(connection, $"PRAGMA application_id = {applicationId}");
                Migrate(connection, beside, migrations);
            }
        }
        catch (SqliteException fault) when (StoreFaults.Explain(fault, path) is { } explained)
        {
            throw explained;
        }

        File.SetUnixFileMode(beside, Mode);
        File.Move(beside, path);
        AtomicFile.Write(Mark(path), "");
        DirectorySync.Flush(Path.GetDirectoryName(path)!);
    }

    private static SqliteConnection Connect(string path, Migrations migrations)
    {
        var connection = OpenConnection(path);
        try
        {
            Migrate(connection, path, migrations);
            using var mode = connection.CreateCommand();
            mode.CommandText = "PRAGMA journal_mode = WAL";
            if (mode.ExecuteScalar() as string != "wal")
            {
                throw new ConfigurationException($"{path} cannot use a write-ahead log", "keep the state directory on a local file system");
            }

            Run(connection, "PRAGMA synchronous = FULL");
            Run(connection, "PRAGMA foreign_keys = ON");
            return connection;
        }
        catch (SqliteException fault) when (StoreFaults.Explain(fault, path) is { } explained)
        {
            connection.Dispose();
            throw explained;
        }
    }

    private static void Migrate(SqliteConnection connection, string path, Migrations migrations)
    {
        var version = Scalar(connection, "PRAGMA user_version");
        if (version > migrations.Newest)
        {
            throw new ConfigurationException($"{path} was written by a newer version (schema {version}, this program knows {migrations.Newest})",
                "install the newer version again; going back is not possible with this file");
        }

        for (var next = (int)version; next < migrations.Newest; next++)
        {
            Run(connection, $"BEGIN IMMEDIATE;\n{migrations.Scripts[next]}\n;PRAGMA user_version = {next + 1};\nCOMMIT");
        }
    }

    private static SqliteConnection OpenConnection(string path)
    {
        // The library would go on for half a minute after the engine's own patience is over, and with it whoever waits to read.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString()) { DefaultTimeout = 1 };
        connection.Open();
        Run(connection, "PRAGMA busy_timeout = 5000");
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static long Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() as long? ?? 0;
    }
}

/// <summary>An open store.</summary>
/// <param name="Store">The store.</param>
/// <param name="DamagedFile">Where a damaged predecessor was moved, if there was one.</param>
/// <param name="IsOlder">It is older than the one that was open here last: a backup, or its log was taken away.</param>
public sealed record OpenedStore(Store Store, string? DamagedFile, bool IsOlder = false);
