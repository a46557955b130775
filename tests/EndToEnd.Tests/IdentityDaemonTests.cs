using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>The daemon beside the sync: no work on a foreign identity, the hub hears of it, contacts are counted.</summary>
public sealed class IdentityDaemonTests : IDisposable
{
    private const string Book = """{ "identity": { "contacts": { "path": "contacts.db", "table": "contacts", "key": "name" } } }""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task L17_no_work_is_taken_on_a_foreign_identity_and_it_is_again_after_a_sync()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var scene = await IdentityScene.CreateAsync(_directory, settings: Hub(hub, "00:00:01"));
        await scene.ContaminateAsync("live");
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);

        var beat = await hub.WaitForBeatAsync(beat => Reason(beat).Contains("identity_contaminated", StringComparison.Ordinal), "contaminated");
        Assert.False(beat.GetProperty("available").GetBoolean());
        await hub.WaitForBeatAsync(beat => beat.TryGetProperty("incidents", out var incidents) && incidents.EnumerateArray().Any(one => one.GetProperty("code").GetString() == "identity_contaminated"), "the incident, without any sync");
        await scene.MustAsync("sync");

        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available");
        await daemon.WaitForLineAsync("IdentityCollision]");
        await daemon.WaitForLineAsync("IdentityRestored]");
        await hub.WaitForBeatAsync(beat => beat.TryGetProperty("incidents", out var incidents) && incidents.EnumerateArray().Any(one => one.GetProperty("code").GetString() == "identity_restored"), "the incident");
    }

    [Fact(Timeout = 120_000)]
    public async Task An_identity_that_nobody_sealed_takes_no_work_and_says_what_to_do()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var scene = await IdentityScene.CreateAsync(_directory, seal: false, settings: Hub(hub, "00:00:01"));
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);

        await hub.WaitForBeatAsync(beat => Reason(beat).Contains("identity_not_sealed", StringComparison.Ordinal), "not sealed");
        Assert.Contains("run 'fleet-sidecar identity seal'", (await scene.RunAsync("doctor")).Text, StringComparison.Ordinal);
        await scene.MustAsync("identity", "seal");

        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_refused_sync_is_an_error_in_the_log_and_an_incident_at_the_hub()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var scene = await IdentityScene.CreateAsync(_directory, settings: Hub(hub, "00:05:00"));
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available");
        foreach (var place in new[] { "live", "sealed" })
        {
            await scene.ContaminateAsync(place);
        }

        Assert.Equal(78, (await scene.RunAsync("sync")).Code);

        await daemon.WaitForLineAsync("IdentityContaminated]");
        await hub.WaitForBeatAsync(beat => beat.TryGetProperty("incidents", out var incidents) && incidents.EnumerateArray().Any(one => one.GetProperty("code").GetString() == "identity_contaminated"), "the incident");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task L16_contacts_arrive_with_the_sync_are_never_doubled_and_an_unknown_peer_is_an_error(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: Book);

        Assert.Contains("contacts: 1 added, 3 in all", await scene.MustAsync("sync"), StringComparison.Ordinal);
        await scene.PushContaminatedAsync();
        Assert.Contains("contacts: 0 added, 3 in all", await scene.MustAsync("sync"), StringComparison.Ordinal);

        Assert.Equal(["clara", "iris-only", "master-only"], JsonDocument.Parse(await scene.MustAsync("contacts", "--json")).RootElement.GetProperty("contacts").EnumerateArray()
            .Select(contact => contact.GetProperty("name").GetString()!).Order(StringComparer.Ordinal));
        Assert.Contains("clara@Iris", await scene.MustAsync("contacts", "clara"), StringComparison.Ordinal);
        var (code, text) = await scene.RunAsync("contacts", "nobody");
        Assert.Equal(1, code);
        Assert.Contains("unknown_contact: nobody is called 'nobody'; known are ", text, StringComparison.Ordinal);
        Assert.Contains("iris-only", text, StringComparison.Ordinal);
        Assert.Contains("3 contacts", (await scene.RunAsync("doctor")).Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task L16_an_empty_or_broken_book_upstream_leaves_ours_alone_and_an_empty_book_of_ours_fails_the_self_test()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "DELETE FROM contacts");
        await scene.CommitAsync("Emptied");
        Assert.Contains("contacts: 0 added, 2 in all", await scene.MustAsync("sync"), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(scene.Seed, "contacts.db"), "not a database");
        await scene.CommitAsync("Broken");

        Assert.Contains("contacts were not merged", await scene.MustAsync("sync"), StringComparison.Ordinal);
        Assert.Equal(2, JsonDocument.Parse(await scene.MustAsync("contacts", "--json")).RootElement.GetProperty("count").GetInt32());

        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "DELETE FROM contacts");
        Assert.Contains("the address book is empty", (await scene.RunAsync("doctor")).Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task L16_what_we_have_wins_and_whom_we_deleted_is_not_brought_back(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: Book);
        await scene.MustAsync("sync");
        var book = Path.Combine(scene.Tree, "contacts.db");
        await TestProgram.MustAsync("/usr/bin/sqlite3", book, "DELETE FROM contacts WHERE name = 'master-only'; UPDATE contacts SET address = 'mine' WHERE name = 'clara'");
        await scene.PushContaminatedAsync();

        Assert.Contains("contacts: 0 added, 2 in all", await scene.MustAsync("sync"), StringComparison.Ordinal);
        Assert.Equal("clara|mine\niris-only|x", (await TestProgram.MustAsync("/usr/bin/sqlite3", book, "SELECT * FROM contacts ORDER BY name")).Trim());

        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "ALTER TABLE contacts RENAME TO hidden; CREATE VIEW contacts AS SELECT 'evil' AS name, 'x' AS address");
        await scene.CommitAsync("View");
        Assert.Contains("contacts were not merged: there is no table contacts", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a program in a file that the daemon opens")]
    public async Task Triggers_of_our_own_book_are_not_run_for_what_the_upstream_has()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await scene.MustAsync("sync");
        var book = Path.Combine(scene.Tree, "contacts.db");
        await TestProgram.MustAsync("/usr/bin/sqlite3", book, "CREATE TABLE junk(x); CREATE TRIGGER t AFTER INSERT ON contacts BEGIN INSERT INTO junk SELECT zeroblob(100000) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 100000) SELECT x FROM c); END");
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "INSERT INTO contacts VALUES ('new', 'x')");
        await scene.CommitAsync("New");

        var said = await scene.MustAsync("sync");

        Assert.Contains("contacts: 1 added", said, StringComparison.Ordinal);
        Assert.Contains("the triggers of contacts were not run", said, StringComparison.Ordinal);
        Assert.Equal("0", (await TestProgram.MustAsync("/usr/bin/sqlite3", book, "SELECT COUNT(*) FROM junk")).Trim());
    }

    [Theory(Timeout = 120_000), Trait("kind", "what is merged makes ours too large to be kept")]
    [InlineData("INSERT INTO contacts SELECT 'c'||value, printf('%.9000c','a') FROM (WITH RECURSIVE r(value) AS (SELECT 1 UNION ALL SELECT value+1 FROM r LIMIT 1400) SELECT value FROM r)", "would have")]
    public async Task A_book_upstream_that_would_make_ours_too_large_is_not_merged_and_closes_nothing(string harm, string reason)
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), harm);
        await scene.CommitAsync("Large");

        var said = await scene.MustAsync("sync");

        Assert.Contains("contacts were not merged", said, StringComparison.Ordinal);
        Assert.Contains(reason, said, StringComparison.Ordinal);
        Assert.True(new FileInfo(Path.Combine(scene.Tree, "contacts.db")).Length < 100_000);
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "DROP TABLE contacts; CREATE TABLE contacts (name TEXT PRIMARY KEY, address TEXT); INSERT INTO contacts VALUES ('late', 'x')");
        await scene.CommitAsync("Small again");
        Assert.Contains("contacts: 1 added", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000), Trait("kind", "work that grows with the square of what comes")]
    public async Task A_hundred_thousand_contacts_are_merged_as_a_few_are()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "INSERT INTO contacts SELECT 'c'||value, 'x' FROM (WITH RECURSIVE r(value) AS (SELECT 1 UNION ALL SELECT value+1 FROM r LIMIT 100000) SELECT value FROM r)");
        await scene.CommitAsync("Many");

        Assert.Contains("contacts: 100000 added", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    // Quadratic, and nothing interrupts one call of a function: hours, or years.
    [Theory(Timeout = 120_000), Trait("kind", "a program in the schema of somebody's database")]
    [InlineData("name TEXT PRIMARY KEY, address TEXT GENERATED ALWAYS AS ({0}) VIRTUAL")]
    [InlineData("name TEXT PRIMARY KEY, address TEXT, CHECK (NOT {0})")]
    [InlineData("name TEXT PRIMARY KEY, address TEXT NOT NULL GENERATED ALWAYS AS ({0}) VIRTUAL")]
    public async Task A_book_that_computes_for_hours_delays_nothing_upstream_or_here(string columns)
    {
        const string Slow = "instr(hex(zeroblob(30000000)), hex(zeroblob(15000000))||''1'')";
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await scene.MustAsync("sync");
        foreach (var book in new[] { Path.Combine(scene.Seed, "contacts.db"), Path.Combine(scene.Tree, "contacts.db") })
        {
            var schema = string.Format(System.Globalization.CultureInfo.InvariantCulture, columns, Slow);
            await TestProgram.MustAsync("/usr/bin/sqlite3", book, $"DROP TABLE contacts; CREATE TABLE contacts (name TEXT PRIMARY KEY{(columns.Contains("CHECK", StringComparison.Ordinal) ? ", address TEXT" : "")}); INSERT INTO contacts (name) VALUES ('{Path.GetFileName(Path.GetDirectoryName(book))}'), ('clara')",
                $"PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE contacts ({schema})' WHERE name = 'contacts'");
            await scene.CommitAsync("Slow");
        }

        var said = await scene.MustAsync("sync");

        Assert.Contains("contacts", said, StringComparison.Ordinal);
        Assert.Contains("clara", await scene.MustAsync("contacts", "--json"), StringComparison.Ordinal);
        Assert.Matches("(?m)^ok +identity", (await scene.RunAsync("doctor")).Text);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a program in the schema of somebody's database")]
    public async Task A_view_in_the_place_of_our_book_is_refused_and_computes_nothing()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"),
            "ALTER TABLE contacts RENAME TO hidden; CREATE VIEW contacts AS SELECT name, instr(hex(zeroblob(30000000)), hex(zeroblob(15000000))||'1') AS address FROM hidden");

        Assert.Contains("there is no table contacts", (await scene.RunAsync("contacts")).Text, StringComparison.Ordinal);
        Assert.Contains("there is no table contacts", (await scene.RunAsync("doctor")).Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_contact_that_is_too_large_is_left_out_and_the_others_come()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Seed, "contacts.db"), "INSERT INTO contacts VALUES ('big', hex(zeroblob(500000))), ('small', 'x')");
        await scene.CommitAsync("Large");

        Assert.Contains("contacts: 1 added, 4 in all; 1 of the upstream's have more than 131072 bytes and were left out", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_book_that_an_agent_has_open_with_a_log_keeps_what_was_written_and_is_merged()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: Book);
        using var agent = TestProgram.Start("/bin/bash", ["-c", $"( echo \"PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; INSERT INTO contacts VALUES ('fresh','in the log'); SELECT 'written';\"; while [ ! -e '{_directory["go"]}' ]; do sleep 0.05; done ) | sqlite3 '{scene.Tree}/contacts.db'"]);
        await agent.WaitForLineAsync("written");

        await scene.MustAsync("sync");

        Assert.Contains("in the log", await scene.MustAsync("contacts", "fresh"), StringComparison.Ordinal);
        Assert.Contains("fresh", await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Root("backup"), "contacts.db"), "SELECT name FROM contacts"), StringComparison.Ordinal);
        File.WriteAllText(_directory["go"], "");
        await agent.EndAsync();
        Assert.Contains("in the log", await scene.MustAsync("contacts", "fresh"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task No_agent_is_started_on_an_identity_that_became_foreign_after_the_last_self_test()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Worker(_directory);
        var scene = await IdentityScene.CreateAsync(_directory, settings: $$"""
            { "hub": { "url": "{{hub.SocketUrl}}", "heartbeatInterval": "00:00:01" }, "selfTest": { "interval": "01:00:00", "diskFloorBytes": 0 },
              "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}"], "retries": 0 } ] } }
            """);
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available");
        await scene.ContaminateAsync("live");

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","description":"Do it","generation":1,"assigned_at":1}""");

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Contains("identity_contaminated", failed.ToString(), StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(_directory));
    }

    private static string Reason(JsonElement beat) => beat.TryGetProperty("unavailable_reason", out var reason) ? reason.GetString() ?? "" : "";

    private static string Hub(ScriptedHub hub, string selfTest) => $$"""
        { "hub": { "url": "{{hub.SocketUrl}}", "heartbeatInterval": "00:00:01" }, "selfTest": { "interval": "{{selfTest}}", "diskFloorBytes": 0 } }
        """;
}
