using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>The engine refuses one row for what is in it: a constraint, a type, a size. The file is sound and other rows can be written.</summary>
public sealed class RowRefusedException(SqliteException fault) : Exception(fault.Message, fault);
