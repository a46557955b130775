using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Tests;

/// <summary>Databases of others: what is sound is not called damaged, what is damaged is seen, and nothing of theirs is computed.</summary>
public sealed class SqliteFileTests : IDisposable
{
    private const string Computed = "CREATE TABLE other (x, y GENERATED ALWAYS AS (x + 1) VIRTUAL); INSERT INTO other (x) VALUES (1);";

    private readonly TempDir _directory = new();

    private string Book => _directory["book.db"];

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000), Trait("kind", "a file of an agent makes the daemon remove one of its own")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_journal_that_names_another_file_is_not_taken_back(bool names)
    {
        await MakeAsync("CREATE TABLE contacts (name TEXT PRIMARY KEY); INSERT INTO contacts VALUES ('clara')");
        var magic = Convert.FromHexString("d9d505f920a163d7");
        await File.WriteAllBytesAsync($"{Book}-journal", [.. new byte[600], .. names ? magic : new byte[8]]);

        var merge = Record.Exception(() => SqliteFile.Merge(Book, "contacts", "name", [], new HashSet<string>()));

        Assert.Equal(names, merge is IOException); // An old journal of one program is in nobody's way.
        Assert.True(!names || File.Exists($"{Book}-journal"));
    }

    // A module that is not loaded here, as an agent's memory with vectors has it.
    [Theory(Timeout = 60_000)]
    [InlineData("")]
    [InlineData(Computed)]
    [InlineData("PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING vec0(x)')")]
    [InlineData("CREATE TABLE [5] (x); CREATE TABLE [odd \"name' ] (x PRIMARY KEY) WITHOUT ROWID;" + Computed)]
    [InlineData("CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('x');" + Computed)]
    public async Task A_sound_database_is_sound_whatever_else_is_in_it(string more)
    {
        await MakeAsync("CREATE TABLE contacts (name TEXT PRIMARY KEY, address TEXT, low TEXT GENERATED ALWAYS AS (lower(name)) STORED); INSERT INTO contacts (name) VALUES ('clara')");
        await MakeAsync(more);

        Assert.Null(SqliteFile.Complaint(Book, "contacts", 1));
        Assert.Equal(["name", "address"], SqliteFile.Rows(Book, "contacts").Single().Keys);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("")]
    [InlineData(Computed)]
    [InlineData("DROP TABLE contacts; CREATE TABLE contacts (name TEXT PRIMARY KEY, address TEXT, low TEXT GENERATED ALWAYS AS (lower(name)) VIRTUAL); INSERT INTO contacts (name, address) SELECT value, printf('%.500c', 'a') FROM json_each(json_array(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20))")]
    public async Task A_damaged_page_is_seen_also_where_something_is_computed(string more)
    {
        await MakeAsync("CREATE TABLE contacts (name TEXT PRIMARY KEY, address TEXT); INSERT INTO contacts SELECT value, printf('%.500c', 'a') FROM json_each(json_array(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20))");
        await MakeAsync(more);
        var page = int.Parse((await TestProgram.MustAsync("/usr/bin/sqlite3", Book, "SELECT MAX(pageno) FROM dbstat WHERE name = 'contacts' AND pagetype = 'leaf'")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        using (var file = File.OpenHandle(Book, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.Write(file, Enumerable.Repeat((byte)0xff, 4096).ToArray(), (page - 1) * 4096L);
        }

        Assert.NotNull(SqliteFile.Complaint(Book, "contacts", 1));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_view_is_no_table_for_anybody()
    {
        await MakeAsync("CREATE TABLE hidden (name TEXT, address TEXT); CREATE VIEW contacts AS SELECT * FROM hidden");

        Assert.Equal("there is no table contacts", SqliteFile.Complaint(Book, "contacts", 0));
        Assert.Equal("there is no table contacts", Assert.Throws<IOException>(() => SqliteFile.Rows(Book, "contacts")).Message);
        Assert.Equal("there is no table contacts", Assert.Throws<IOException>(() => SqliteFile.Merge(Book, "contacts", "name", [], new HashSet<string>())).Message);
    }

    private Task<string> MakeAsync(string sql) => TestProgram.MustAsync("/usr/bin/sqlite3", Book, sql);
}
