using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>The store cannot take the write now (disk full, read-only, locked). Nothing of the commit is in the file.</summary>
public sealed class StoreUnavailableException(string message, string hint, Exception inner) : SidecarException(message, hint, inner)
{
    /// <summary>Somebody else holds a lock on it.</summary>
    public bool IsLocked { get; init; }
}

/// <summary>The file is damaged. The next start moves it aside and says so.</summary>
public sealed class StoreDamagedException(string message, string hint, Exception? inner = null) : SidecarException(message, hint, inner);

/// <summary>Decides once what an error of the engine means.</summary>
internal static class StoreFaults
{
    // https://www.sqlite.org/rescode.html
    private const int Busy = 5, Locked = 6, NoMemory = 7, ReadOnly = 8, Interrupted = 9, IoError = 10, Corrupt = 11, Full = 13, CantOpen = 14, Protocol = 15, LargeFile = 22, NotPermitted = 23, NotADatabase = 26;

    public static bool IsDamage(SqliteException fault) => fault.SqliteErrorCode is Corrupt or NotADatabase;

    /// <summary>A fault for the operator, or null where the statement itself was wrong (a mistake of ours).</summary>
    public static SidecarException? Explain(SqliteException fault, string path) => fault.SqliteErrorCode switch
    {
        Corrupt or NotADatabase => new StoreDamagedException($"{path} is damaged: {fault.Message}", "the next start moves it aside and reports it", fault),
        // The engine calls it an input or output error where its index in shared memory finds no room.
        Full or IoError when fault.SqliteErrorCode == Full || StoreReserve.IsFullAt(Path.GetDirectoryName(path)!) => new StoreUnavailableException($"no space left to write {path}", "free disk space; work goes on by itself", fault),
        ReadOnly or CantOpen or NotPermitted => new StoreUnavailableException($"cannot write {path}: {fault.Message}", "make the directory writable for the service user", fault),
        Busy or Locked or Protocol or Interrupted => new StoreUnavailableException($"{path} is locked by another program", "end the program that holds it open for writing", fault) { IsLocked = true },
        IoError or NoMemory or LargeFile => new StoreUnavailableException($"cannot use {path}: {fault.Message}", "look at the kernel log for disk errors", fault),
        _ => null,
    };
}
