using FleetSidecar.Ground;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Tests;

/// <summary>The SQLite file: what survives, what is refused, what is moved aside.</summary>
public sealed class StoreTests : IDisposable
{
    private const int Application = 0x54455354;
    private static readonly Migrations Two = new(["CREATE TABLE t (x INTEGER CHECK (x < 100))", "CREATE TABLE u (x)"]);
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task What_was_committed_is_there_after_reopening()
    {
        using (var store = Open().Store)
        {
            await store.CommitAsync(db => db.Execute("INSERT INTO t VALUES (?1)", 7));
        }

        using var again = Open().Store;
        Assert.Equal(7, again.Read(db => db.Number("SELECT x FROM t")));
        Assert.Equal(2, again.Read(db => db.Number("PRAGMA user_version")));
        Assert.Equal("wal", again.Read(db => db.Query("PRAGMA journal_mode", row => row.Text(0)))[0]);
        Assert.Equal(2, again.Read(db => db.Number("PRAGMA synchronous"))); // FULL
    }

    // https://www.sqlite.org/rescode.html: a mistake of ours ends a loop; what a file system or another program does must not.
    [Theory]
    [InlineData(5, true)] // BUSY
    [InlineData(6, true)] // LOCKED
    [InlineData(7, false)] // NOMEM
    [InlineData(8, false)] // READONLY
    [InlineData(9, true)] // INTERRUPT
    [InlineData(10, false)] // IOERR
    [InlineData(13, false)] // FULL
    [InlineData(14, false)] // CANTOPEN
    [InlineData(15, true)] // PROTOCOL: a lock on the log's index that is kept
    [InlineData(22, false)] // NOLFS
    [InlineData(23, false)] // AUTH
    public void What_passes_is_no_mistake_of_ours(int code, bool isLock)
    {
        var explained = StoreFaults.Explain(new Microsoft.Data.Sqlite.SqliteException("x", code), "/state.db");

        Assert.Equal(isLock, Assert.IsType<StoreUnavailableException>(explained).IsLocked);
    }

    [Fact]
    public async Task Work_that_throws_is_undone_whole()
    {
        using var store = Open().Store;

        await Assert.ThrowsAsync<InvalidOperationException>(() => store.CommitAsync<int>(db =>
        {
            db.Execute("INSERT INTO t VALUES (1)");
            throw new InvalidOperationException("no");
        }));

        Assert.Equal(0, store.Read(db => db.Number("SELECT COUNT(*) FROM t")));
    }

    [Fact]
    public async Task In_a_group_one_bad_piece_of_work_is_undone_alone()
    {
        using var store = Open().Store;

        var all = Enumerable.Range(0, 200).Select(number => Task.Run(() => store.CommitAsync(db => db.Execute("INSERT INTO t VALUES (?1)", number))));
        var outcomes = await Task.WhenAll(all.Select(async task =>
        {
            try
            {
                await task;
                return true;
            }
            catch (RowRefusedException)
            {
                return false;
            }
        }));

        Assert.Equal(100, outcomes.Count(good => good));
        Assert.Equal(100, store.Read(db => db.Number("SELECT COUNT(*) FROM t")));
        Assert.Equal(99, store.Read(db => db.Number("SELECT MAX(x) FROM t")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(99)]
    [InlineData(4096)]
    [InlineData(6000)]
    public void A_file_cut_to_any_length_is_moved_aside_and_never_read_as_empty(int length)
    {
        Open().Store.Dispose();
        using (var file = new FileStream(_directory["x.db"], FileMode.Open))
        {
            file.SetLength(length);
        }

        var opened = Open();
        opened.Store.Dispose();

        Assert.NotNull(opened.DamagedFile);
        Assert.Equal(length, new FileInfo(Assert.Single(Directory.GetFiles(_directory.Path, "x.db.damaged-*"))).Length);
    }

    [Fact]
    public void A_log_without_its_file_is_damage_and_kept()
    {
        Open().Store.Dispose();
        File.Delete(_directory["x.db"]);
        _directory.Write("x.db-wal", "precious");

        var opened = Open();
        opened.Store.Dispose();

        Assert.Contains("its log is there", opened.DamagedFile, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(Assert.Single(Directory.GetFiles(_directory.Path, "x.db.damaged-*-wal"))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_store_that_was_not_closed_must_still_have_its_log(bool keepShared)
    {
        var crashed = Open(); // Never closed: what a kill leaves.
        crashed.Store.CommitAsync(db => db.Execute("INSERT INTO t VALUES (1)"));
        var copy = Path.Combine(_directory.Path, "copy");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.GetFiles(_directory.Path, "*x.db*").Concat(Directory.GetFiles(_directory.Path, ".x.db*")).Where(file => !file.EndsWith("-wal", StringComparison.Ordinal) && (keepShared || !file.EndsWith("-shm", StringComparison.Ordinal))))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)), overwrite: true);
        }

        crashed.Store.Dispose();
        var opened = StoreFile.Open(Path.Combine(copy, "x.db"), Application, Two, TimeProvider.System);
        opened.Store.Dispose();

        Assert.Contains("its log", opened.DamagedFile, StringComparison.Ordinal);
        Assert.Null(Open().DamagedFile);
    }

    [Fact]
    public async Task A_tool_that_looked_into_the_file_after_a_crash_is_no_damage()
    {
        var crashed = Open();
        await crashed.Store.CommitAsync(db => db.Execute("INSERT INTO t VALUES (42)"));
        var copy = Path.Combine(_directory.Path, "copy");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.GetFiles(_directory.Path))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        crashed.Store.Dispose();
        await TestProgram.MustAsync("/usr/bin/env", "sqlite3", Path.Combine(copy, "x.db"), "SELECT COUNT(*) FROM t");
        Assert.False(File.Exists(Path.Combine(copy, "x.db-wal"))); // It closed last and has moved the log into the file.

        var opened = StoreFile.Open(Path.Combine(copy, "x.db"), Application, Two, TimeProvider.System);
        using var store = opened.Store;

        Assert.Null(opened.DamagedFile);
        Assert.Equal(42, store.Read(db => db.Number("SELECT x FROM t")));
    }

    [Fact]
    public void A_half_made_file_from_a_crash_while_creating_is_simply_made_again()
    {
        _directory.Write("x.db.new", "half");

        var opened = Open();
        opened.Store.Dispose();

        Assert.Null(opened.DamagedFile);
    }

    [Fact]
    public void Flipped_bytes_in_a_page_are_noticed()
    {
        Open().Store.Dispose();
        using (var file = new FileStream(_directory["x.db"], FileMode.Open))
        {
            file.Seek(4096, SeekOrigin.Begin);
            file.Write(new byte[64].Select(_ => (byte)0xff).ToArray());
        }

        var opened = Open();
        opened.Store.Dispose();
        Assert.NotNull(opened.DamagedFile);
    }

    [Fact]
    public void A_file_of_the_future_and_a_file_of_another_program_are_refused_and_untouched()
    {
        Open().Store.Dispose();

        Assert.Throws<ConfigurationException>(() => StoreFile.Open(_directory["x.db"], Application, new Migrations([Two.Scripts[0]]), TimeProvider.System));
        Assert.Throws<ConfigurationException>(() => StoreFile.Open(_directory["x.db"], 1, Two, TimeProvider.System));
        Assert.Empty(Directory.GetFiles(_directory.Path, "*damaged*"));
    }

    private OpenedStore Open() => StoreFile.Open(_directory["x.db"], Application, Two, TimeProvider.System);
}
