using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Ground.Files;
using Microsoft.Data.Sqlite;

namespace FleetSidecar.Ground.Storage;

/// <summary>The one owner of a SQLite file: one connection, one commit at a time, and everything that waits goes into the next one.</summary>
/// <remarks>
/// Whoever comes first commits on its own thread, so a lone caller pays no hand-over; whoever comes meanwhile is queued and
/// committed together with one sync of the disk. Each piece of work has a savepoint: one that throws is undone alone.
/// A call returns after the commit is on disk, or throws and nothing of it is in the file.
/// </remarks>
public sealed class Store : IDisposable
{
    // A bound on how long the first in a batch waits for the last; the queue itself is bounded by its callers, who all wait.
    private const int LargestBatch = 256;

    // Four times what the engine lets the log grow to before it moves it into the file.
    private const long LogRoom = 16 * 1024 * 1024, FileRoomBytes = 4 * 1024 * 1024, LeastRoom = 1024 * 1024;

    private readonly string _path;
    private readonly string? _openMark;
    private bool _disposed;
    private Microsoft.Win32.SafeHandles.SafeFileHandle? _file;
    private readonly SqliteConnection _connection;
    private readonly Db _db;
    private readonly Lock _turn = new();
    private readonly ConcurrentQueue<Work> _waiting = new();
    private int _committing;

    /// <param name="path">The file.</param>
    /// <param name="connection">Ours from now on.</param>
    /// <param name="openMark">A file that says "in use"; it goes first at a clean end, because a crash after that leaves the log as evidence.</param>
    internal Store(string path, SqliteConnection connection, string? openMark)
    {
        _openMark = openMark;
        _path = path;
        _connection = connection;
        _db = new Db(connection);
    }

    public string Path => _path;

    /// <summary>Runs work and commits it. The task ends when it is on disk.</summary>
    public Task<T> CommitAsync<T>(Func<Db, T> work)
    {
        var item = new Work<T>(work);
        _waiting.Enqueue(item);
        while (!_waiting.IsEmpty && Interlocked.CompareExchange(ref _committing, 1, 0) == 0)
        {
            try
            {
                CommitWaiting();
            }
            finally
            {
                Volatile.Write(ref _committing, 0);
            }
        }

        return item.Done;
    }

    /// <summary>Reads what is committed.</summary>
    public T Read<T>(Func<Db, T> work)
    {
        lock (_turn)
        {
            try
            {
                return work(_db);
            }
            catch (SqliteException fault) when (StoreFaults.Explain(fault, _path) is { } explained)
            {
                throw explained;
            }
        }
    }

    /// <summary>Bytes of the file, and how many of them no row needs.</summary>
    public (long Bytes, long Free) Size() => Read(db =>
    {
        var page = db.Number("PRAGMA page_size");
        return (page * db.Number("PRAGMA page_count"), page * db.Number("PRAGMA freelist_count"));
    });

    /// <summary>Writes the file again without its free pages, where at least half of it and that many bytes are free. Commits wait meanwhile.</summary>
    /// <returns>Whether it was done.</returns>
    /// <exception cref="StoreUnavailableException">There is no room for the second copy; the file is as it was.</exception>
    public bool Shrink(long leastFreeBytes)
    {
        lock (_turn)
        {
            var (bytes, free) = Size();
            if (_disposed || free < leastFreeBytes || free * 2 < bytes)
            {
                return false;
            }

            try
            {
                _db.Execute("VACUUM");

                // The new file stands in the log, which would keep its size until the next start.
                _db.Query("PRAGMA wal_checkpoint(TRUNCATE)", row => row.Number(0));
                return true;
            }
            catch (SqliteException fault) when (StoreFaults.Explain(fault, _path) is { } explained)
            {
                throw explained;
            }
        }
    }

    /// <summary>Claims room on the disk for many thousand commits, so that they succeed after somebody else has filled it. Called again and again: a log that was cut has lost its claim.</summary>
    /// <param name="most">Most bytes for each of them, where there is little room.</param>
    /// <returns>Whether both the file and its log have it.</returns>
    public bool ClaimRoom(long most = LogRoom)
    {
        lock (_turn)
        {
            if (_disposed)
            {
                return false;
            }

            try
            {
                // Open as long as the store: to close any handle of the file would give up the engine's locks on it, see fcntl(2).
                _file ??= File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
                using var log = File.OpenHandle($"{_path}-wal", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
                var hasFile = Claim(_file, RandomAccess.GetLength(_file), Math.Min(most, FileRoomBytes));

                // Behind its last frame the engine reads nothing of the log, and a recovery ends at what is no frame.
                var room = Math.Min(most, LogRoom);
                return Claim(log, 0, room) ? hasFile : FileRoom.Fill(log, room) && hasFile;
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }

    // As much of it as there is.
    private static bool Claim(Microsoft.Win32.SafeHandles.SafeFileHandle file, long beyond, long room)
    {
        while (room >= LeastRoom)
        {
            if (FileRoom.Claim(file, beyond + room))
            {
                return true;
            }

            room /= 2;
        }

        return false;
    }

    public void Dispose()
    {
        lock (_turn)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (_openMark is not null)
            {
                // Closed, the engine would remove the log, and with it the room on the disk, for whoever has filled the disk. Left as
                // after a crash, the next start finds both.
                if (StoreReserve.IsFullAt(System.IO.Path.GetDirectoryName(_path)!))
                {
                    return;
                }

                File.Delete(_openMark);
            }

            _connection.Dispose();
            _file?.Dispose();
        }
    }

    private void CommitWaiting()
    {
        var batch = new List<Work>();
        while (batch.Count < LargestBatch && _waiting.TryDequeue(out var item))
        {
            batch.Add(item);
        }

        lock (_turn)
        {
            var fault = CommitBatch(batch);
            foreach (var item in batch)
            {
                item.Finish(fault);
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever stops a commit must reach every caller that waits for it.")]
    private Exception? CommitBatch(List<Work> batch)
    {
        try
        {
            _db.Execute("BEGIN IMMEDIATE");
            foreach (var item in batch)
            {
                Run(item, alone: batch.Count == 1);
            }

            _db.Execute("COMMIT");
            return null;
        }
        catch (Exception fault)
        {
            RollBack();
            return fault is SqliteException sqlite ? StoreFaults.Explain(sqlite, _path) ?? fault : fault;
        }
    }

    private void Run(Work item, bool alone)
    {
        if (alone)
        {
            item.Run(_db);
            return;
        }

        _db.Execute("SAVEPOINT work");
        try
        {
            item.Run(_db);
        }
        catch (Exception fault) when (fault is not SqliteException { SqliteErrorCode: not 19 })
        {
            // 19: a constraint said no. Anything else of the engine's concerns the whole batch.
            item.Fail(fault);
            _db.Execute("ROLLBACK TO work");
        }

        _db.Execute("RELEASE work");
    }

    private void RollBack()
    {
        try
        {
            _db.Execute("ROLLBACK");
        }
        catch (SqliteException)
        {
            // The engine has already rolled back by itself, as it does when the disk is full.
        }
    }

    private abstract class Work
    {
        private Exception? _own;

        public abstract void Run(Db db);

        public void Fail(Exception own) => _own = own;

        public void Finish(Exception? fault) => Complete(_own ?? fault);

        protected abstract void Complete(Exception? fault);
    }

    private sealed class Work<T>(Func<Db, T> work) : Work
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? _answer;

        public Task<T> Done => _done.Task;

        public override void Run(Db db) => _answer = work(db);

        protected override void Complete(Exception? fault)
        {
            if (fault is null)
            {
                _done.SetResult(_answer!);
            }
            else
            {
                _done.SetException(fault);
            }
        }
    }
}
