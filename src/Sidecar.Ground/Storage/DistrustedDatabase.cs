using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FleetSidecar.Ground.Storage;

/// <summary>Opens a database that another program made: no trigger and no view of it is run, its values have a length, and any work on it ends after a minute.</summary>
internal static class DistrustedDatabase
{
    private const int LargestValue = 16 * 1024 * 1024, StepsBetweenLooks = 20;
    private static readonly TimeSpan LongestWork = TimeSpan.FromMinutes(1);

    // SQLITE_DBCONFIG_ENABLE_TRIGGER, _DEFENSIVE, _ENABLE_VIEW, _TRUSTED_SCHEMA. An engine that is older than one of them passes over it.
    private static readonly (int Setting, int Value)[] Settings = [(1003, 0), (1010, 1), (1015, 0), (1017, 0)];

    public static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        SqliteEngine.Use();
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString()) { DefaultTimeout = 5 };
        connection.Open();
        foreach (var (setting, value) in Settings)
        {
            raw.sqlite3_db_config(connection.Handle, setting, value, out _);
        }

        // A temporary file would lie elsewhere, where a helper for one database may change nothing.
        using (var memory = connection.CreateCommand())
        {
            memory.CommandText = "PRAGMA temp_store = MEMORY";
            memory.ExecuteNonQuery();
        }

        var began = Stopwatch.GetTimestamp();
        raw.sqlite3_limit(connection.Handle, raw.SQLITE_LIMIT_LENGTH, LargestValue);
        raw.sqlite3_progress_handler(connection.Handle, StepsBetweenLooks, _ => Stopwatch.GetElapsedTime(began) > LongestWork ? 1 : 0, null);
        return connection;
    }
}
