using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>What work inside a commit may do: run SQL with positional parameters <c>?1</c>, <c>?2</c>… Statements are kept prepared.</summary>
public sealed class Db
{
    // The engine's codes for a fault of one row; every other code concerns the file.
    private const int TooBig = 18, Constraint = 19, Mismatch = 20, OutOfRange = 25;

    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _prepared = [];

    internal Db(SqliteConnection connection) => _connection = connection;

    /// <summary>Runs a statement; returns how many rows it changed.</summary>
    /// <exception cref="RowRefusedException">The engine refuses the row for what is in it.</exception>
    public int Execute(string sql, params ReadOnlySpan<object?> values)
    {
        var command = Prepare(sql, values);
        try
        {
            return command.ExecuteNonQuery();
        }
        catch (SqliteException fault) when (fault.SqliteErrorCode is TooBig or Constraint or Mismatch or OutOfRange)
        {
            throw new RowRefusedException(fault);
        }
    }

    /// <summary>Reads all rows of a query.</summary>
    public List<T> Query<T>(string sql, Func<Row, T> read, params ReadOnlySpan<object?> values)
    {
        using var reader = Prepare(sql, values).ExecuteReader();
        var rows = new List<T>();
        var row = new Row(reader);
        while (reader.Read())
        {
            rows.Add(read(row));
        }

        return rows;
    }

    /// <summary>Reads the first column of the first row as a number; zero where there is none.</summary>
    public long Number(string sql, params ReadOnlySpan<object?> values) => Prepare(sql, values).ExecuteScalar() as long? ?? 0;

    [SuppressMessage("Security", "CA2100", Justification = "Every statement is a literal of this project; values are parameters.")]
    private SqliteCommand Prepare(string sql, ReadOnlySpan<object?> values)
    {
        if (!_prepared.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var index = 1; index <= values.Length; index++)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = $"?{index}" });
            }

            _prepared[sql] = command;
        }

        for (var index = 0; index < values.Length; index++)
        {
            command.Parameters[index].Value = values[index] ?? DBNull.Value;
        }

        return command;
    }
}

/// <summary>One row of an answer, columns by position.</summary>
public readonly struct Row
{
    private readonly SqliteDataReader _reader;

    internal Row(SqliteDataReader reader) => _reader = reader;

    public string Text(int column) => _reader.GetString(column);

    public string? TextOrNull(int column) => _reader.IsDBNull(column) ? null : _reader.GetString(column);

    public long Number(int column) => _reader.GetInt64(column);

    public long? NumberOrNull(int column) => _reader.IsDBNull(column) ? null : _reader.GetInt64(column);
}
