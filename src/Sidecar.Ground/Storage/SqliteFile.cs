using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>Looks at, copies and adds to SQLite files that belong to somebody else. Nothing of ours is kept open.</summary>
public static class SqliteFile
{
    /// <summary>Why a file is not a sound database with so many rows in a table, or null. Opened read-only.</summary>
    public static string? Complaint(string path, string table, long minimumRows)
    {
        try
        {
            using var connection = Open(path, SqliteOpenMode.ReadOnly);
            if (Scalar(connection, "PRAGMA quick_check(1)") as string is not "ok")
            {
                return "the database is damaged";
            }

            if (Scalar(connection, $"SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '{table}'") is not > 0L)
            {
                return $"there is no table {table}";
            }

            var rows = Scalar(connection, $"SELECT COUNT(*) FROM \"{table}\"") as long? ?? 0;
            return rows >= minimumRows ? null : $"{table} has {rows} rows, fewer than {minimumRows}";
        }
        catch (SqliteException fault)
        {
            return $"it is no database that opens: {fault.Message}";
        }
    }

    /// <summary>A copy of everything that is committed, its write-ahead log included, as one file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static void Snapshot(string path, string copy)
    {
        try
        {
            using var from = Open(path, SqliteOpenMode.ReadOnly);
            using var to = Open(copy, SqliteOpenMode.ReadWriteCreate);
            from.BackupDatabase(to);
            Run(to, "PRAGMA journal_mode = DELETE"); // One file, whatever the original was.
        }
        catch (SqliteException fault)
        {
            throw new IOException(fault.Message, fault);
        }
    }

    /// <summary>Two columns of a table, as text.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, string?>> Rows(string path, string table)
    {
        try
        {
            using var connection = Open(path, SqliteOpenMode.ReadOnly);
            using var command = Command(connection, $"SELECT * FROM \"{table}\"");
            using var reader = command.ExecuteReader();
            var rows = new List<IReadOnlyDictionary<string, string?>>();
            while (reader.Read())
            {
                rows.Add(Enumerable.Range(0, reader.FieldCount).ToDictionary(reader.GetName, column => reader.IsDBNull(column) ? null : reader.GetValue(column).ToString(), StringComparer.Ordinal));
            }

            return rows;
        }
        catch (SqliteException fault)
        {
            throw new IOException(fault.Message, fault);
        }
    }

    /// <summary>Takes over the rows of another book by key: known ones are brought up to date, new ones added, none removed. In one transaction.</summary>
    /// <returns>How many were added and changed.</returns>
    /// <exception cref="IOException">The two do not fit, or a file cannot be used.</exception>
    public static (int Added, int Changed) Merge(string path, string table, string key, IReadOnlyList<IReadOnlyDictionary<string, string?>> rows)
    {
        try
        {
            using var connection = Open(path, SqliteOpenMode.ReadWrite);
            var columns = Columns(connection, table);
            if (!columns.Contains(key))
            {
                throw new IOException($"{table} has no column {key}");
            }

            Run(connection, "BEGIN IMMEDIATE");
            var (added, changed) = (0, 0);
            foreach (var row in rows.Where(row => row.GetValueOrDefault(key) is { Length: > 0 }))
            {
                var shared = row.Keys.Where(column => columns.Contains(column) && column != key && column != "id").ToList();
                var known = Scalar(connection, $"SELECT COUNT(*) FROM \"{table}\" WHERE \"{key}\" = ?1", row[key]) is > 0L;
                if (!known)
                {
                    added += Run(connection, $"INSERT INTO \"{table}\" ({string.Join(", ", shared.Prepend(key).Select(Quote))}) VALUES ({string.Join(", ", Enumerable.Range(1, shared.Count + 1).Select(at => $"?{at}"))})",
                        [row[key], .. shared.Select(column => row[column])]);
                }
                else if (shared.Count > 0)
                {
                    changed += Run(connection, $"UPDATE \"{table}\" SET {string.Join(", ", shared.Select((column, at) => $"{Quote(column)} = ?{at + 2}"))} WHERE \"{key}\" = ?1 AND ({string.Join(" OR ", shared.Select((column, at) => $"{Quote(column)} IS NOT ?{at + 2}"))})",
                        [row[key], .. shared.Select(column => row[column])]);
                }
            }

            Run(connection, "COMMIT");
            return (added, changed);
        }
        catch (SqliteException fault)
        {
            throw new IOException(fault.Message, fault);
        }
    }

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

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        SqliteEngine.Use();
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString()) { DefaultTimeout = 5 };
        connection.Open();
        return connection;
    }

    [SuppressMessage("Security", "CA2100", Justification = "Names come from the configuration, which admits letters, digits and '_' alone; values are parameters.")]
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
