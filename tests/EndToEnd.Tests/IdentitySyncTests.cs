namespace FleetSidecar.EndToEnd;

/// <summary>The fleet's code comes, this agent's identity stays: both methods, from every state that the field has seen.</summary>
public sealed class IdentitySyncTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task L17_nine_syncs_in_a_row_with_a_contaminated_upstream_leave_the_identity_alone(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        for (var round = 0; round < 9; round++)
        {
            var said = await scene.MustAsync("sync");

            Assert.Equal(scene.Newest, scene.CodeVersion());
            Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
            Assert.False(IdentityScene.HasForeign(scene.Tree), said);
            Assert.Contains("kept      SOUL.md", said, StringComparison.Ordinal);
            await scene.PushContaminatedAsync();
        }

        Assert.Contains("identity_collision", Record(scene), StringComparison.Ordinal);
        await scene.MustAsync("sync");
        Assert.Equal([$"only-{scene.Newest}"], Directory.GetDirectories(Path.Combine(scene.Tree, "app"), "only-*").Select(Path.GetFileName));
        Assert.Contains("already at", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task L17_a_backup_that_was_taken_from_the_contaminated_copy_is_never_a_source(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.ContaminateAsync("live");
        await scene.ContaminateAsync("backup");
        Assert.Equal(78, (await scene.RunAsync("identity", "check")).Code);

        var said = await scene.MustAsync("sync");

        Assert.Contains("restored  SOUL.md (from sealed)", said, StringComparison.Ordinal);
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
        Assert.False(IdentityScene.HasForeign(scene.Tree) || IdentityScene.HasForeign(scene.Root("backup")));
        await scene.MustAsync("identity", "check");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_memory_that_speaks_of_the_others_is_still_ours_and_its_newest_words_are_kept(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        const string Memory = "# Memory of Iris\n- I am Master, said the Master. # Memory of Master\n- I am Clara, said Clara\n";
        File.WriteAllText(Path.Combine(scene.Tree, "MEMORY.md"), Memory);
        File.WriteAllText(Path.Combine(scene.Tree, "memory", "2027.md"), "# Memory of Iris\n- of this year, never sealed\n");

        await scene.MustAsync("sync");

        Assert.Equal(Memory, File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")));
        Assert.Equal(Memory, File.ReadAllText(Path.Combine(scene.Root("backup"), "MEMORY.md")));
        Assert.Contains("never sealed", File.ReadAllText(Path.Combine(scene.Tree, "memory", "2027.md")), StringComparison.Ordinal);
        Assert.Equal("# Memory of Iris\n- clara likes tea\n", File.ReadAllText(Path.Combine(scene.Root("sealed"), "MEMORY.md"))); // A sync never seals.
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task With_no_source_left_the_sync_is_refused_recorded_and_the_tree_is_untouched(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        foreach (var place in new[] { "live", "backup", "sealed" })
        {
            await scene.ContaminateAsync(place);
        }

        var picture = scene.Picture();
        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(78, code);
        Assert.StartsWith("fleet-sidecar: identity_contaminated: no source of ", text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        Assert.Contains("identity_contaminated", Record(scene), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task Lost_and_emptied_files_come_back_with_their_mode(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, seal: false);
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.SetUnixFileMode(Path.Combine(scene.Tree, ".env"), Private);
        await scene.MustAsync("identity", "seal");
        File.Delete(Path.Combine(scene.Tree, ".env"));
        Directory.Delete(Path.Combine(scene.Tree, "memory"), recursive: true);
        File.WriteAllText(Path.Combine(scene.Tree, "SOUL.md"), "");
        File.WriteAllBytes(Path.Combine(scene.Tree, "MEMORY.md"), [.. "# Memory of Iris\n"u8, 0xff, 0xfe]);

        await scene.MustAsync("sync");

        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
        Assert.Equal(Private, File.GetUnixFileMode(Path.Combine(scene.Tree, ".env")));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_strict_setting_refuses_an_upstream_with_an_identity()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: """{ "identity": { "onCollision": "refuse" } }""");
        var picture = scene.Picture();

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.StartsWith("fleet-sidecar: identity_collision: the upstream carries .env, IDENTITY.md", text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mark", "the mark 'I am Iris' is not in it")]
    [InlineData("empty", "it is empty")]
    [InlineData("link", "it is a symbolic link")]
    [InlineData("huge", "more than 16777216")]
    [InlineData("missing", "it is not there")]
    [InlineData("directory", "it is not a file")]
    public async Task What_is_not_fit_to_be_sealed_is_not_sealed(string fault, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        var soul = Path.Combine(scene.Tree, "SOUL.md");
        var manifest = File.ReadAllText(Path.Combine(scene.Home, "sealed", "manifest.json"));
        File.Delete(soul);
        switch (fault)
        {
            case "mark": File.WriteAllText(soul, "I am Master.\n"); break;
            case "empty": File.WriteAllText(soul, ""); break;
            case "link": File.CreateSymbolicLink(soul, Path.Combine(scene.Tree, "IDENTITY.md")); break;
            case "directory": Directory.CreateDirectory(soul); break;
            case "huge":
                File.WriteAllText(soul, "I am Iris\n");
                using (var file = File.OpenWrite(soul))
                {
                    file.SetLength(17L * 1024 * 1024);
                }

                break;
        }

        var (code, text) = await scene.RunAsync("identity", "seal");

        Assert.Equal(78, code);
        Assert.Contains(why, text, StringComparison.Ordinal);
        Assert.Equal(manifest, File.ReadAllText(Path.Combine(scene.Home, "sealed", "manifest.json")));
        if (fault == "huge")
        {
            Assert.Contains("identity_unreadable: SOUL.md", (await scene.RunAsync("sync")).Text, StringComparison.Ordinal); // Nobody can tell what it is.
            return;
        }

        await scene.MustAsync("sync"); // Whatever it was, the sealed copy takes its place.
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_new_seal_keeps_the_one_before_and_a_seal_of_another_agent_is_no_seal()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        File.AppendAllText(Path.Combine(scene.Tree, "SOUL.md"), "I have changed.\n");
        Assert.Equal(78, (await scene.RunAsync("identity", "check")).Code);

        Assert.Contains("sealed 6 files of iris", await scene.MustAsync("identity", "seal"), StringComparison.Ordinal);

        await scene.MustAsync("identity", "check");
        Assert.Single(Directory.GetDirectories(scene.Home, "sealed-until-*"));
        var (code, text) = await scene.RunAsync("identity", "check", "--set", "agent.id=clara");
        Assert.Equal(78, code);
        Assert.Contains("the seal", text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_rollback_brings_the_code_back_and_leaves_the_identity_as_it_is_now(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.MustAsync("sync");
        File.AppendAllText(Path.Combine(scene.Tree, "MEMORY.md"), "- newer than the sync\n");

        Assert.Contains("back at", await scene.MustAsync("sync", "--rollback"), StringComparison.Ordinal);

        Assert.Equal("1", scene.CodeVersion());
        Assert.True(File.Exists(Path.Combine(scene.Tree, "app", "only-1", "file")));
        Assert.EndsWith("- newer than the sync\n", File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")), StringComparison.Ordinal);
        Assert.False(IdentityScene.HasForeign(scene.Tree));
        await scene.MustAsync("sync");
        Assert.Equal("2", scene.CodeVersion());
        Assert.EndsWith("- newer than the sync\n", File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_check_says_what_would_happen_and_changes_nothing(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.ContaminateAsync("live");
        var picture = scene.Picture();

        var said = await scene.MustAsync("sync", "--check");

        Assert.Contains($"would go from ", said, StringComparison.Ordinal);
        Assert.Contains("restored  SOUL.md (from sealed)", said, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")) || Directory.Exists(Path.Combine(scene.Home, "backup")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_service_that_does_not_come_up_takes_the_tree_back(string method)
    {
        var service = _directory.WriteScript("service.sh", $"echo \"$(cat '{_directory["iris-code"]}/app/version')\" >> '{_directory["restarts"]}'\n[ \"$(cat '{_directory["iris-code"]}/app/version')\" = 1 ]");
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: $$"""{ "identity": { "restart": [ ["{{service}}"] ] } }""");

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.StartsWith("fleet-sidecar: restart_failed: ", text, StringComparison.Ordinal);
        Assert.Equal(["2", "1"], File.ReadAllLines(_directory["restarts"]));
        Assert.Equal("1", scene.CodeVersion());
        Assert.True(scene.Ours().Count >= IdentityScene.Files.Count() * 2);
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")));
        Assert.Contains("sync_rolled_back", Record(scene), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task What_a_service_says_is_quoted_nowhere_and_nothing_is_claimed_that_did_not_happen()
    {
        var service = _directory.WriteScript("service.sh", "echo 'password=hunter2secret https://me:alsosecret@host/' >&2\nexit 7");
        var scene = await IdentityScene.CreateAsync(_directory, settings: $$"""{ "identity": { "restart": [ ["{{service}}", "--key=argsecret"] ] } }""");

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.StartsWith($"fleet-sidecar: restart_failed: '{service}' ended with 7; what it said is in ", text, StringComparison.Ordinal);
        Assert.Contains("the tree is back at the version before, and there too restart_failed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("started again", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", text + Record(scene), StringComparison.Ordinal);
        var log = Path.Combine(scene.Home, "restart.log");
        Assert.Equal("password=hunter2secret https://***@host/", File.ReadAllText(log));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(log));
    }

    [Fact(Timeout = 120_000), Trait("kind", "what a program leaves behind holds its output")]
    public async Task A_service_that_a_command_starts_and_leaves_running_takes_nothing_back()
    {
        var service = _directory.WriteScript("service.sh", $"sleep 300 & echo $! >> '{_directory["services"]}'; echo started");
        var scene = await IdentityScene.CreateAsync(_directory, settings: $$"""{ "identity": { "restart": [ ["{{service}}"] ] } }""");
        try
        {
            await scene.MustAsync("sync");

            Assert.Equal("2", scene.CodeVersion());
            Assert.True(Directory.Exists($"/proc/{File.ReadAllLines(_directory["services"]).Single()}"), "the service was ended");
        }
        finally
        {
            await TestProgram.RunAsync("/bin/kill", File.ReadAllLines(_directory["services"]));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Seals_that_are_made_again_and_again_keep_the_newest_of_those_before()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        for (var day = 10; day < 40; day++)
        {
            Directory.CreateDirectory(Path.Combine(scene.Home, $"sealed-until-202001{day}T000000000Z", "files"));
        }

        await scene.MustAsync("identity", "seal");

        var kept = Directory.GetDirectories(scene.Home, "sealed-until-*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(20, kept.Count);
        Assert.Equal("sealed-until-20200121T000000000Z", kept[0]);
    }

    [Fact(Timeout = 120_000)]
    public async Task Two_syncs_at_once_are_one_sync_and_one_clear_refusal()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        var crash = new CrashPoint(_directory, "sync_journaled");
        using var first = scene.Start(crash);
        await crash.ReachedAsync();

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.StartsWith("fleet-sidecar: another sync or seal is under way", text, StringComparison.Ordinal);
        crash.Release();
        Assert.Equal(0, await first.EndAsync());
        Assert.Equal("2", scene.CodeVersion());
    }

    private static string Record(IdentityScene scene) => File.ReadAllText(Path.Combine(scene.Home, "record.json"));
}
