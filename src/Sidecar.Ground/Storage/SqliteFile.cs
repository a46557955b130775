using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FleetSidecar.Ground.Storage;

/// <summary>Looks at, copies and adds to SQLite files that belong to somebody else. Nothing of ours is kept open.</summary>
/// <remarks>A schema can contain expressions, and one call of a function in them can take hours that nothing interrupts. Computed columns are
/// therefore neither read nor checked, and no trigger or view of the file is run. Sizes are bounded, and SQLite ends any other work after a
/// minute. A file that another program may be writing is opened in a process of its own only, because the engine waits for the other end of a pipe beside it.</remarks>
public static class SqliteFile
{
    /// <summary>Most bytes of a row that is added. An insertion does compute what the book's own schema says, and the work of one call grows with the square of this.</summary>
    public const int LargestInserted = 256 * 1024;

    // A value takes some 64 bytes of memory whatever it is.
    private const int LargestTable = 128 * 1024 * 1024, OfEachValue = 64;

    /// <summary>Why a file is not a sound database with so many rows in a table, or null. Opened read-only.</summary>
    /// <exception cref="IOException">Nobody can tell now: it is locked, the disk is full, it may not be read.</exception>
    public static string? Complaint(string path, string table, long minimumRows)
    {
        try
        {
            using var connection = DistrustedDatabase.Open(path, SqliteOpenMode.ReadOnly);
            Run(connection, "PRAGMA ignore_check_constraints = ON");
            if (!IsWhole(connection))
            {
                return "the database is damaged";
            }

            if (!IsTable(connection, table))
            {
                return $"there is no table {table}";
            }

            var rows = Scalar(connection, $"SELECT COUNT(*) FROM \"{table}\"") as long? ?? 0;
            return rows >= minimumRows ? null : $"{table} has {rows} rows, fewer than {minimumRows}";
        }
        catch (SqliteException fault) when (!IsPassing(fault))
        {
            return $"it is no database that opens: {fault.Message}";
        }
        catch (SqliteException fault)
        {
            throw new IOException(Words(fault), fault);
        }
    }

    /// <summary>The name beside a copy of what <see cref="Snapshot"/> copies first where a writer was killed. It is gone when that ends, and stays where its process is ended.</summary>
    public static string FoundName(string copy) => $"{copy}.found";

    /// <summary>A copy of everything that is committed, its write-ahead log included, as one file.</summary>
    /// <exception cref="InvalidDataException">It is no sound database.</exception>
    /// <exception cref="IOException">It cannot be read now, after five seconds of trying where somebody has it locked.</exception>
    public static void Snapshot(string path, string copy)
    {
        try
        {
            try
            {
                Copy(path, copy, SqliteOpenMode.ReadOnly);
            }
            catch (SqliteException left) when (Code(left) == raw.SQLITE_READONLY)
            {
                // A writer that was killed left a journal, and the next program that opens the database takes back what was not committed. Here that
                // is done on copies, because the engine also removes files that a journal names.
                using var found = FoundDatabase.Of(path, copy);
                Copy(found.Path, copy, SqliteOpenMode.ReadWrite);
            }
        }
        catch (SqliteException fault) when (!IsPassing(fault))
        {
            throw new InvalidDataException($"it is no database that opens: {Words(fault)}", fault);
        }
        catch (SqliteException fault)
        {
            throw new IOException(Words(fault), fault);
        }
    }

    /// <summary>Every row of a table, as text, without the columns that are computed.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, string?>> Rows(string path, string table)
    {
        try
        {
            using var connection = DistrustedDatabase.Open(path, SqliteOpenMode.ReadOnly);
            RequireTable(connection, table);
            using var command = Command(connection, Everything(connection, table));
            using var reader = command.ExecuteReader();
            var rows = new List<IReadOnlyDictionary<string, string?>>();
            var left = (long)LargestTable;
            while (reader.Read())
            {
                rows.Add(Enumerable.Range(0, reader.FieldCount).ToDictionary(reader.GetName, column => reader.IsDBNull(column) ? null : reader.GetValue(column).ToString(), StringComparer.Ordinal));
                left -= rows[^1].Values.Sum(value => (long)(value?.Length ?? 0) + OfEachValue);
                if (left < 0)
                {
                    throw new IOException($"{table} is too large to be read at once");
                }
            }

            return rows;
        }
        catch (SqliteException fault)
        {
            throw new IOException(fault.Message, fault);
        }
    }

    /// <summary>Adds rows of another book whose key is neither there, whatever its case, nor in <paramref name="known"/>; what is there is never changed. In one transaction.</summary>
    /// <returns>How many were added.</returns>
    /// <exception cref="IOException">The two do not fit, or a file cannot be used.</exception>
    public static int Merge(string path, string table, string key, IReadOnlyList<IReadOnlyDictionary<string, string?>> rows, IReadOnlySet<string> known)
    {
        try
        {
            SqliteJournal.RequireOwn(path);
            using var connection = DistrustedDatabase.Open(path, SqliteOpenMode.ReadWrite);
            raw.sqlite3_limit(connection.Handle, raw.SQLITE_LIMIT_LENGTH, LargestInserted);
            RequireTable(connection, table);
            var columns = Columns(connection, table);
            if (!columns.Contains(key))
            {
                throw new IOException($"{table} has no column {key}");
            }

            Run(connection, "BEGIN IMMEDIATE");
            var there = Keys(connection, table, key);
            var added = 0;
            foreach (var row in rows.Where(row => row.GetValueOrDefault(key) is { Length: > 0 } name && !known.Contains(name) && there.Add(name)))
            {
                var shared = row.Keys.Where(column => columns.Contains(column) && column != key && column != "id").ToList();
                added += Run(connection, $"INSERT INTO \"{table}\" ({string.Join(", ", shared.Prepend(key).Select(Quote))}) VALUES ({string.Join(", ", Enumerable.Range(1, shared.Count + 1).Select(at => $"?{at}"))}) ON CONFLICT DO NOTHING",
                    [row[key], .. shared.Select(column => row[column])]);
            }

            Run(connection, "COMMIT");
            return added;
        }
        catch (SqliteException fault)
        {
            throw new IOException(Words(fault), fault);
        }
    }

    /// <summary>Whether the file has a program of its own for what is added to a table. It is not run.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static bool HasTrigger(string path, string table)
    {
        try
        {
            using var connection = DistrustedDatabase.Open(path, SqliteOpenMode.ReadOnly);
            return Scalar(connection, "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE LIMIT 1", table) is not null;
        }
        catch (SqliteException fault)
        {
            throw new IOException(Words(fault), fault);
        }
    }

    // The whole file at once where nothing in it is computed; else table by table, and where something is, what is stored there is read.
    private static bool IsWhole(SqliteConnection connection)
    {
        var tables = Words(connection, "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0");
        var computing = tables.Where(table => Scalar(connection, $"SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden IN (2, 3) LIMIT 1", table) is not null).ToHashSet(StringComparer.Ordinal);
        if (computing.Count == 0)
        {
            return Scalar(connection, "PRAGMA quick_check(1)") as string is "ok";
        }

        foreach (var table in tables)
        {
            // A name that is a number would be taken for one: so many faults in the whole file.
            if (!computing.Contains(table) && (char.IsAsciiLetter(table[0]) || table[0] == '_'))
            {
                if (Scalar(connection, $"PRAGMA quick_check({Quote(table)})") as string is not "ok")
                {
                    return false;
                }
            }
            else if (Columns(connection, table).Count > 0)
            {
                using var command = Command(connection, Everything(connection, table));
                using var reader = command.ExecuteReader();
                while (reader.Read())
                {
                }
            }
        }

        return true;
    }

    // A view or a virtual table runs code of whoever made the file.
    private static bool IsTable(SqliteConnection connection, string table) =>
        Scalar(connection, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?1", table) is > 0L;

    private static void RequireTable(SqliteConnection connection, string table)
    {
        if (!IsTable(connection, table))
        {
            throw new IOException($"there is no table {table}");
        }
    }

    private static string Everything(SqliteConnection connection, string table) => $"SELECT {string.Join(", ", Columns(connection, table).Select(Quote))} FROM {Quote(table)}";

    private static List<string> Words(SqliteConnection connection, string sql)
    {
        using var command = Command(connection, sql);
        using var reader = command.ExecuteReader();
        var words = new List<string>();
        while (reader.Read())
        {
            words.Add(reader.GetString(0));
        }

        return words;
    }

    private static HashSet<string> Keys(SqliteConnection connection, string table, string key)
    {
        using var command = Command(connection, $"SELECT \"{key}\" FROM \"{table}\"");
        using var reader = command.ExecuteReader();
        var keys = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        while (reader.Read())
        {
            keys.Add(reader.IsDBNull(0) ? "" : reader.GetValue(0).ToString() ?? "");
        }

        return keys;
    }

    private static void Copy(string path, string copy, SqliteOpenMode mode)
    {
        using var from = DistrustedDatabase.Open(path, mode);
        using var to = DistrustedDatabase.Open(copy, SqliteOpenMode.ReadWriteCreate);
        Run(from, "PRAGMA busy_timeout = 5000");
        from.BackupDatabase(to);
        Run(to, "PRAGMA journal_mode = DELETE"); // One file, whatever the original was.
    }

    // A backup's fault comes with the extended code, of which the last byte is the code.
    private static int Code(SqliteException fault) => fault.SqliteErrorCode & 0xFF;

    // These say nothing about the content: a lock, a full or broken disk, rights, memory.
    private static bool IsPassing(SqliteException fault) => Code(fault) is raw.SQLITE_PERM or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_NOMEM or raw.SQLITE_READONLY
        or raw.SQLITE_INTERRUPT or raw.SQLITE_IOERR or raw.SQLITE_FULL or raw.SQLITE_CANTOPEN or raw.SQLITE_PROTOCOL or raw.SQLITE_AUTH;

    // "SQLite Error 5: 'database is locked'." is the library's way.
    private static string Words(SqliteException fault) => fault.Message.Split('\'') is [_, { Length: > 0 } words, ..] ? words : fault.Message;

    // The stored columns; table_info leaves out computed ones.
    private static HashSet<string> Columns(SqliteConnection connection, string table)
    {
        using var command = Command(connection, $"PRAGMA table_info(\"{table}\")");
        using var reader = command.ExecuteReader();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read())
        {
            names.Add(reader.GetString(1));
        }

        return names;
    }

    private static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [SuppressMessage("Security", "CA2100", Justification = "Names are quoted; values are parameters.")]
    private static SqliteCommand Command(SqliteConnection connection, string sql, params ReadOnlySpan<string?> values)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        for (var index = 0; index < values.Length; index++)
        {
            command.Parameters.Add(new SqliteParameter($"?{index + 1}", (object?)values[index] ?? DBNull.Value));
        }

        return command;
    }

    private static object? Scalar(SqliteConnection connection, string sql, params ReadOnlySpan<string?> values)
    {
        using var command = Command(connection, sql, values);
        return command.ExecuteScalar();
    }

    private static int Run(SqliteConnection connection, string sql, params ReadOnlySpan<string?> values)
    {
        using var command = Command(connection, sql, values);
        return command.ExecuteNonQuery();
    }
}
