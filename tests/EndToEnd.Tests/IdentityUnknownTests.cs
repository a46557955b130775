namespace FleetSidecar.EndToEnd;

/// <summary>Files that no version has, ignore rules of the upstream, and writers that do not stop for a sync.</summary>
public sealed class IdentityUnknownTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", ".env\n*.db\n")]
    [InlineData("swap", ".env\n*.db\n")]
    [InlineData("in-place", "*\n")]
    [InlineData("swap", "*\n")]
    public async Task An_upstream_that_ignores_identity_paths_stops_no_sync(string method, string ignore)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        File.WriteAllText(Path.Combine(scene.Seed, ".gitignore"), ignore);
        for (var round = 0; round < 3; round++)
        {
            await scene.PushContaminatedAsync();

            await scene.MustAsync("sync");

            Assert.Equal(scene.Newest, scene.CodeVersion());
            Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task An_old_directory_goes_only_when_everything_in_it_that_no_version_has_was_rescued()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        File.WriteAllText(Path.Combine(scene.Seed, ".gitignore"), "data/\n");
        await scene.PushContaminatedAsync();
        await scene.MustAsync("sync");
        var root = new FileInfo(scene.Tree).ResolveLinkTarget(true)!.FullName;
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{root}'; mkdir data; echo mine > data/rows; printf odd > $'data/caf\\xe9\\nx'; echo late > app/module-0");

        var said = await SyncAsync(scene, 2);

        Assert.False(Directory.Exists(root));
        var rescue = said.Split('\n').Single(line => line.Contains("is rescued: ", StringComparison.Ordinal)).Split(' ')[^1];
        var repository = Path.Combine(scene.Home, "upstream.git");
        Assert.Equal("mine", (await IdentityScene.GitAsync(repository, "show", $"{rescue}:data/rows")).Trim());
        var names = await IdentityScene.GitAsync(repository, "ls-tree", "-r", "--name-only", rescue);
        Assert.Contains("caf\\351\\nx", names, StringComparison.Ordinal);
        Assert.DoesNotContain(".env", names, StringComparison.Ordinal);
        Assert.DoesNotContain("is rescued", await SyncAsync(scene, 2), StringComparison.Ordinal); // Nothing of anybody's in those.
    }

    [Theory(Timeout = 120_000)]
    [InlineData("git init -q app/mine; echo x > app/mine/y", "app/mine is a repository of its own")]
    [InlineData("truncate -s 300M app/large", "300 MiB in it are in no version")]
    public async Task An_old_directory_that_cannot_be_rescued_stays_and_is_named(string change, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        File.WriteAllText(Path.Combine(scene.Seed, ".gitignore"), "large\n");
        await scene.PushContaminatedAsync();
        await scene.MustAsync("sync");
        var root = new FileInfo(scene.Tree).ResolveLinkTarget(true)!.FullName;
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{root}'; {change}");

        var said = await SyncAsync(scene, 2);

        Assert.Contains($"{root} is not removed: ", said, StringComparison.Ordinal);
        Assert.Contains(why, said, StringComparison.Ordinal);
        Assert.True(Directory.Exists(root));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_old_directory_whose_book_somebody_wrote_after_the_turn_stays_and_is_named()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        await scene.PushContaminatedAsync();
        await scene.MustAsync("sync");
        var root = new FileInfo(scene.Tree).ResolveLinkTarget(true)!.FullName;
        await SyncAsync(scene, 1);
        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(root, "contacts.db"), "CREATE TABLE late (word); INSERT INTO late VALUES ('late');");

        var said = await SyncAsync(scene, 1);
        await SyncAsync(scene, 2);

        Assert.Contains($"{root}-kept stays: somebody wrote its contacts.db after the link was turned", said, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine($"{root}-kept", "contacts.db")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("git init -q app/new", "mkdir app/new; echo theirs > app/new/x", "app/new is a repository of its own")]
    [InlineData("git init -q app/new; echo mine > app/new/x", "mkdir app/new; echo theirs > app/new/x", "app/new is a repository of its own")]
    public async Task Nothing_is_written_into_a_repository_that_lies_in_the_tree(string mine, string theirs, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory);

        var (code, text, untouched) = await scene.MeetAsync(mine, theirs, "Nested");

        Assert.Equal(1, code);
        Assert.Contains($"something_in_the_way: {why}", text, StringComparison.Ordinal);
        Assert.True(untouched);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_link_of_the_version_before_becomes_a_directory(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Seed}'; ln -s app here");
        await scene.CommitAsync("Link");
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Seed}'; rm here; mkdir here; echo theirs > here/version; echo new > here/new");
        await scene.CommitAsync("Directory");

        await scene.MustAsync("sync");

        Assert.Equal("theirs\n", File.ReadAllText(Path.Combine(scene.Tree, "here", "version")));
        Assert.Equal(scene.Newest, scene.CodeVersion());
    }

    [Fact(Timeout = 120_000)]
    public async Task No_line_is_lost_of_a_writer_that_opens_adds_and_closes_all_the_time()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        for (var round = 0; round < 5; round++)
        {
            var stop = _directory[$"stop-{round}"];
            using var writer = TestProgram.Start("/bin/bash", ["-c", $"i=0; while [ ! -e '{stop}' ]; do echo \"- {round}-$i\" >> '{scene.Tree}/MEMORY.md'; i=$((i+1)); read -t 0.002 < <(:) ; done; echo \"wrote $i\""]);
            await scene.MustAsync("sync");
            File.WriteAllText(stop, "");
            await writer.EndAsync();
            var wrote = int.Parse(writer.Lines.Single(line => line.StartsWith("wrote ", StringComparison.Ordinal))[6..], System.Globalization.CultureInfo.InvariantCulture);

            var lines = File.ReadAllLines(Path.Combine(scene.Tree, "MEMORY.md")).Where(line => line.StartsWith($"- {round}-", StringComparison.Ordinal)).ToList();

            Assert.True(wrote > 50, $"{wrote} lines");
            Assert.Empty(Enumerable.Range(0, wrote).Select(at => $"- {round}-{at}").Except(lines));
            Assert.Equal(wrote, lines.Count); // Nor doubled.
            await scene.PushContaminatedAsync();
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task What_was_added_to_the_old_file_around_a_turn_that_was_killed_is_carried_over()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        var old = new FileInfo(scene.Tree).ResolveLinkTarget(true)!.FullName;
        var crash = new CrashPoint(_directory, "sync_turned");
        using (var sync = scene.Start(crash))
        {
            await crash.ReachedAsync();
            sync.Kill();
        }

        File.AppendAllText(Path.Combine(scene.Tree, "MEMORY.md"), "- in the new one\n");
        File.AppendAllText(Path.Combine(old, "MEMORY.md"), "- in the old one\n");

        await scene.MustAsync("sync");

        Assert.Equal("# Memory of Iris\n- clara likes tea\n- in the new one\n- in the old one\n", File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")));
    }

    private static async Task<string> SyncAsync(IdentityScene scene, int times)
    {
        var said = "";
        for (var round = 0; round < times; round++)
        {
            await scene.PushContaminatedAsync();
            said = await scene.MustAsync("sync");
        }

        return said;
    }
}
