namespace FleetSidecar.EndToEnd;

/// <summary>What cannot be judged is not foreign, and what is foreign is kept before it is overwritten.</summary>
public sealed class IdentityUnreadableTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_book_that_somebody_has_locked_refuses_the_sync_and_keeps_every_row(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var picture = scene.Picture();
        using (var agent = await LockAsync(scene))
        {
            var (code, text) = await scene.RunAsync("sync");
            var check = await scene.RunAsync("identity", "check");

            Assert.Equal(1, code);
            Assert.StartsWith("fleet-sidecar: identity_unreadable: contacts.db: database is locked", text, StringComparison.Ordinal);
            Assert.Equal(1, check.Code);
            Assert.Contains("UNREADABLE live    contacts.db: database is locked", check.Text, StringComparison.Ordinal);
            File.WriteAllText(_directory["go"], "");
            await agent.EndAsync();
        }

        Assert.Equal(scene.Picture().Split('\n').Length, picture.Split('\n').Length);
        await scene.MustAsync("sync");
        Assert.Equal("fresh", (await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "SELECT name FROM contacts WHERE name = 'fresh'")).Trim());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "replaced")));
    }

    // The engine opens a journal by its name, and waits for the other end of a pipe without an end.
    [Theory(Timeout = 120_000), Trait("kind", "a pipe in the place of a file")]
    [InlineData("mkfifo contacts.db-journal", "in-place")]
    [InlineData("mkfifo contacts.db-wal", "in-place")]
    [InlineData("mkfifo contacts.db-journal", "swap")]
    [InlineData("mkdir -p contacts.db-journal/deep contacts.db-shm", "in-place")]
    [InlineData("ln -s /etc/passwd contacts.db-wal", "in-place")]
    public async Task What_is_no_file_beside_a_book_keeps_nobody_waiting_and_goes_with_the_next_sync(string act, string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: """{ "identity": { "contacts": { "path": "contacts.db", "table": "contacts", "key": "name" } } }""");
        await scene.MustAsync("sync");
        var rows = await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "SELECT * FROM contacts ORDER BY name");
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{scene.Tree}'; {act}");

        var check = await scene.RunAsync("identity", "check");
        var contacts = await scene.RunAsync("contacts");

        Assert.Equal((1, 1), (check.Code, contacts.Code));
        Assert.All([check.Text, contacts.Text], said => Assert.Contains("is not a file; the next sync takes it away", said, StringComparison.Ordinal));
        await scene.MustAsync("sync");
        Assert.Equal(rows, await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "SELECT * FROM contacts ORDER BY name"));
        Assert.DoesNotContain("UNREADABLE", await scene.MustAsync("identity", "check"), StringComparison.Ordinal);
    }

    // The next program that opens the book takes back what was not committed.
    [Theory(Timeout = 120_000), Trait("kind", "a code that is longer than it is compared with")]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_book_whose_writer_was_killed_in_the_middle_of_a_change_is_ours(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.MustAsync("sync");
        var book = Path.Combine(scene.Tree, "contacts.db");
        _directory.Write("half", "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 5; BEGIN; INSERT INTO contacts SELECT 'h'||value, printf('%.500c','a') FROM (WITH RECURSIVE r(value) AS (SELECT 1 UNION ALL SELECT value+1 FROM r LIMIT 5000) SELECT value FROM r);\n.shell kill -9 $PPID\n");
        await TestProgram.RunAsync("/bin/sh", ["-c", $"sqlite3 '{book}' <'{_directory["half"]}'"]);
        Assert.True(new FileInfo($"{book}-journal").Length > 1000);

        await scene.MustAsync("identity", "check");
        await scene.MustAsync("sync");

        Assert.Equal("0", (await TestProgram.MustAsync("/usr/bin/sqlite3", book, "SELECT COUNT(*) FROM contacts WHERE name LIKE 'h%'")).Trim());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "replaced")));
    }

    // A lease makes each open of the file wait for 45 seconds; see fcntl(2).
    [Fact(Timeout = 120_000), Trait("kind", "a file that keeps its reader waiting")]
    public async Task A_lease_on_identity_files_keeps_nobody_waiting()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "in-place");
        await scene.MustAsync("sync");
        using var agent = TestProgram.Start("/usr/bin/perl", ["-e", "$SIG{IO} = 'IGNORE'; open my $file, '+<', $ARGV[0] or die; fcntl($file, 1024, 1) or die $!; open my $held, '>', $ARGV[1]; close $held; sleep 300", Path.Combine(scene.Tree, "SOUL.md"), _directory["held"]]);
        await Wait.UntilAsync(() => File.Exists(_directory["held"]), "the lease");

        var check = await scene.RunAsync("identity", "check");

        Assert.Equal(1, check.Code);
        Assert.Contains("SOUL.md: another program has a lease on it", check.Text, StringComparison.Ordinal);
    }

    // Six hundred notes of 16 MiB, which take no room on the disk, took ten gigabytes of memory at each start of an agent.
    [Theory(Timeout = 120_000), Trait("kind", "each is bounded, all of them together are not")]
    [InlineData(300, 16 * 1024 * 1024, "identity files in")]
    [InlineData(10_001, 100, "more than 10000 files in")]
    public async Task Notes_that_are_too_many_or_too_large_together_are_not_read(int count, int length, string complaint)
    {
        var scene = await IdentityScene.CreateAsync(_directory, "in-place");
        var memory = Directory.CreateDirectory(Path.Combine(scene.Tree, "memory")).FullName;
        foreach (var number in Enumerable.Range(0, count))
        {
            using var note = File.Create(Path.Combine(memory, $"n{number}.md"));
            note.Write("Memory of Iris\n"u8);
            note.SetLength(length);
        }

        var check = await scene.RunAsync("identity", "check");
        var (code, text) = await scene.RunAsync("sync");

        var seal = await scene.RunAsync("identity", "seal");

        Assert.Equal((1, 1, 1), (code, check.Code, seal.Code));
        Assert.All([text, check.Text, seal.Text], said => Assert.Contains($"identity_unreadable: {(count > 10_000 ? "" : "the ")}", said, StringComparison.Ordinal));
        Assert.All([text, check.Text, seal.Text], said => Assert.Contains(complaint, said, StringComparison.Ordinal));
        Directory.GetFiles(memory, "n*.md").ToList().ForEach(File.Delete);
        await scene.MustAsync("sync");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "sync_journaled")]
    [InlineData("swap", "sync_turned")]
    public async Task A_recovery_that_meets_a_locked_book_keeps_the_journal(string method, string point)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var crash = new CrashPoint(_directory, point);
        using (var sync = scene.Start(crash))
        {
            await crash.ReachedAsync();
            sync.Kill();
        }

        using (var agent = await LockAsync(scene))
        {
            var (code, text) = await scene.RunAsync("sync");

            Assert.Equal((1, true), (code, text.Contains("identity_unreadable: contacts.db", StringComparison.Ordinal)));
            Assert.True(File.Exists(Path.Combine(scene.Home, "journal", "plan.json")));
            File.WriteAllText(_directory["go"], "");
            await agent.EndAsync();
        }

        Assert.Empty(await IdentityKills.AfterRecoveryAsync(scene));
        Assert.Equal("fresh", (await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "SELECT name FROM contacts WHERE name = 'fresh'")).Trim());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_full_state_disk_is_no_judgement()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await scene.MustAsync("sync");
        await scene.PushContaminatedAsync();
        Directory.Delete(Path.Combine(scene.Home, "looks"), recursive: true);
        using var disk = await SmallDisk.TryMountAsync(Path.Combine(scene.Home, "looks"), megabytes: 1);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        disk.Fill();
        File.Move(Path.Combine(scene.Home, "looks", "ballast"), Path.Combine(scene.Home, "looks", "1-ballast")); // As of a process that lives.
        var picture = scene.Picture();

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.StartsWith("fleet-sidecar: identity_unreadable: contacts.db: ", text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        File.Delete(Path.Combine(scene.Home, "looks", "1-ballast"));
        await scene.MustAsync("sync");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_file_without_rights_is_not_written_over()
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess || !File.Exists("/usr/bin/setpriv"), "only root can become another user");
        var scene = await IdentityScene.CreateAsync(_directory);
        File.SetUnixFileMode(Path.Combine(scene.Tree, "MEMORY.md"), UnixFileMode.None);
        await TestProgram.MustAsync("/bin/chown", "-R", "65534:65534", _directory.Path);

        var (code, text) = await TestProgram.RunAsync("/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", TestProgram.Sidecar, "sync", "--config", scene.ConfigFile]);

        Assert.SkipWhen(text.Contains("setpriv", StringComparison.Ordinal), "that user cannot reach the program");
        Assert.Equal(1, code);
        Assert.StartsWith("fleet-sidecar: identity_unreadable: MEMORY.md: ", text, StringComparison.Ordinal);
        Assert.Equal("# Memory of Iris\n- clara likes tea\n", File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")));
        Assert.Equal("1", scene.CodeVersion());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_directory_of_identity_files_that_became_a_link_is_refused_by_name()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        Directory.Move(Path.Combine(scene.Tree, "memory"), _directory["elsewhere"]);
        File.CreateSymbolicLink(Path.Combine(scene.Tree, "memory"), _directory["elsewhere"]);

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.Contains("memory is a symbolic link, not a directory", text, StringComparison.Ordinal);
        Assert.Equal("# Memory of Iris\n- winter\n", File.ReadAllText(_directory["elsewhere/2026.md"]));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task What_is_replaced_is_kept_first_and_the_newest_twenty_stay(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        Directory.CreateDirectory(Path.Combine(scene.Home, "replaced"));
        for (var index = 10; index < 40; index++)
        {
            Directory.CreateDirectory(Path.Combine(scene.Home, "replaced", $"200001{index}T000000000Z"));
        }

        const string Mine = "I am Iris.\nI keep my word, and I have learned something.\n";
        File.WriteAllText(Path.Combine(scene.Tree, "SOUL.md"), Mine);

        var said = await scene.MustAsync("sync");

        var kept = Directory.GetFiles(Path.Combine(scene.Home, "replaced"), "SOUL.md", SearchOption.AllDirectories).Single();
        Assert.Equal(Mine, File.ReadAllText(kept));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(kept));
        Assert.Contains($"is kept in {kept}", said, StringComparison.Ordinal);
        Assert.Contains($"kept in {Path.GetDirectoryName(kept)}", File.ReadAllText(Path.Combine(scene.Home, "record.json")), StringComparison.Ordinal);
        Assert.Equal(20, Directory.GetDirectories(Path.Combine(scene.Home, "replaced")).Length);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task Where_nothing_can_be_kept_nothing_is_replaced(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.ContaminateAsync("live");
        File.WriteAllText(Path.Combine(scene.Home, "replaced"), "in the way");
        var picture = scene.Picture();

        var (code, text) = await scene.RunAsync("sync");

        Assert.NotEqual(0, code);
        Assert.Contains("replaced", text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")));
    }

    // A writer with an open transaction, and rows that it commits at its end.
    private async Task<TestProgram> LockAsync(IdentityScene scene)
    {
        var agent = TestProgram.Start("/bin/bash", ["-c", $"( echo \"BEGIN EXCLUSIVE; INSERT INTO contacts VALUES ('fresh','mine'); SELECT 'locked';\"; while [ ! -e '{_directory["go"]}' ]; do sleep 0.05; done; echo 'COMMIT;' ) | sqlite3 '{scene.Tree}/contacts.db'"]);
        await agent.WaitForLineAsync("locked");
        return agent;
    }
}
