namespace FleetSidecar.EndToEnd;

/// <summary>Odd upstreams, odd trees and broken surroundings of a sync: what is not git's is not lost, and what cannot be done is refused before it begins.</summary>
public sealed class IdentityTreeTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task Uncommitted_work_is_rescued_and_strangers_files_stay(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        File.WriteAllText(Path.Combine(scene.Tree, "app", "module-0"), "edited by the agent\n");
        File.WriteAllText(Path.Combine(scene.Tree, "app", "notes"), "of nobody's version\n");
        Directory.CreateDirectory(Path.Combine(scene.Tree, "app", "only-2"));
        File.WriteAllText(Path.Combine(scene.Tree, "app", "only-2", "file"), "in the way\n");
        var root = Path.GetFullPath(new FileInfo(scene.Tree).ResolveLinkTarget(true)?.FullName ?? scene.Tree);

        var said = await scene.MustAsync("sync");

        Assert.Contains("rescued   uncommitted work: refs/fleet/sync-rescue/", said, StringComparison.Ordinal);
        var rescue = said.Split('\n').Single(line => line.StartsWith("rescued", StringComparison.Ordinal)).Split(' ')[^1];
        var repository = Path.Combine(scene.Home, "upstream.git");
        Assert.Equal("edited by the agent\n", await IdentityScene.GitAsync(repository, "show", $"{rescue}:app/module-0") + "\n");
        Assert.Equal("in the way\n", await IdentityScene.GitAsync(repository, "show", $"{rescue}:app/only-2/file") + "\n");
        Assert.DoesNotContain("SOUL.md", await IdentityScene.GitAsync(repository, "ls-tree", "-r", "--name-only", rescue), StringComparison.Ordinal); // Nor .env: secrets do not go into history.
        Assert.Equal("of nobody's version\n", File.ReadAllText(Path.Combine(root, "app", "notes")));
        Assert.Equal("of 2\n", File.ReadAllText(Path.Combine(scene.Tree, "app", "only-2", "file")));
        Assert.Equal("", await IdentityScene.GitAsync(scene.Seed, "diff", "--no-index", "--name-only", Path.Combine(scene.Seed, "app", "module-0"), Path.Combine(scene.Tree, "app", "module-0")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task Odd_names_modes_links_submodules_and_large_file_pointers_come_as_they_are(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""
            cd '{{scene.Seed}}'
            printf 'new\nline' > $'odd\nname'; printf 'latin' > $'caf\xe9'; mkdir -p 'd e'; printf x > 'd e/*?[x]'
            printf '#!/bin/sh\n' > run.sh; chmod +x run.sh; ln -s ../nowhere dangling; ln -s app here
            printf '*.bin filter=lfs diff=lfs merge=lfs -text\n' > .gitattributes
            printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n' > large.bin
            git update-index --add --cacheinfo 160000,{{new string('a', 40)}},module
            """);
        await CommitIndexAsync(scene);

        await scene.MustAsync("sync");

        var shown = await TestProgram.MustAsync("/bin/bash", "-c", $$"""cd '{{scene.Tree}}/'; cat $'odd\nname' $'caf\xe9' 'd e/*?[x]'; readlink dangling here; [ -x run.sh ] && [ -d module ] && cat large.bin""");
        Assert.Contains("latin", shown, StringComparison.Ordinal);
        Assert.Contains("git-lfs.github.com", shown, StringComparison.Ordinal);
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""cd '{{scene.Seed}}'; git rm -q --cached module; git rm -q $'odd\nname' $'caf\xe9' here; printf changed > 'd e/*?[x]'""");
        await CommitIndexAsync(scene, add: "d e");
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""cd '{{scene.Tree}}/'; [ ! -e $'odd\nname' ] && [ ! -e $'caf\xe9' ] && [ ! -L here ] && [ "$(cat 'd e/*?[x]')" = changed ]""");
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "rm -rf memory; ln -s app memory", "memory")]
    [InlineData("swap", "rm -rf memory; echo x > memory", "memory")]
    [InlineData("in-place", "rm -rf SOUL.md; mkdir SOUL.md; echo x > SOUL.md/x", "SOUL.md")]
    [InlineData("swap", "rm -rf SOUL.md; mkdir SOUL.md; echo x > SOUL.md/x", "SOUL.md")]
    public async Task An_upstream_that_would_take_the_place_of_an_identity_directory_is_refused(string method, string change, string path)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);

        var (code, text, untouched) = await scene.MeetAsync(":", change, "Structure");

        Assert.Equal(1, code);
        Assert.Contains($"identity_collision: the upstream has something else than a directory, or than a file, at {path}", text, StringComparison.Ordinal);
        Assert.True(untouched);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkdir app/new; echo mine > app/new/x", "echo new > app/new", "app/new is a directory with files that git does not know")]
    [InlineData("echo mine > app/new", "mkdir app/new; echo x > app/new/x", "app/new is no directory")]
    [InlineData("ln -s /nonexistent app/new", "mkdir app/new; echo x > app/new/x", "app/new is no directory")]
    public async Task What_git_does_not_know_is_never_removed_to_make_room(string mine, string theirs, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory);

        var (code, text, untouched) = await scene.MeetAsync(mine, theirs, "Room");

        Assert.Equal(1, code);
        Assert.Contains($"something_in_the_way: {why}", text, StringComparison.Ordinal);
        Assert.True(untouched);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_rewritten_upstream_is_taken_only_when_asked_for_and_a_commit_can_be_pinned(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var second = (await IdentityScene.GitAsync(scene.Seed, "rev-parse", "HEAD")).Trim();
        await scene.PushContaminatedAsync();
        await scene.MustAsync("sync", "--commit", second);
        Assert.Equal("2", scene.CodeVersion());
        await IdentityScene.GitAsync(scene.Seed, "reset", "--quiet", "--hard", "HEAD~2");
        await scene.PushContaminatedAsync();

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.Contains("upstream_rewound", text, StringComparison.Ordinal);
        Assert.Equal("2", scene.CodeVersion());
        await scene.MustAsync("sync", "--allow-rewind");
        Assert.Equal("4", scene.CodeVersion());
        Assert.Equal((1, true), ((await scene.RunAsync("sync", "--commit", second)) is var gone ? (gone.Code, gone.Text.Contains("is not part of the upstream's branch", StringComparison.Ordinal)) : default));
        Assert.Equal(64, (await scene.RunAsync("sync", "--commit", "main")).Code);
    }

    [Theory(Timeout = 120_000)]
    [InlineData(1, "identity.upstream.url=/nonexistent.git", "repository_not_found")]
    [InlineData(1, "identity.upstream.branch=nosuch", "branch_not_found")]
    [InlineData(1, "identity.upstream.verifySignatures=true", "upstream_unsigned")]
    [InlineData(78, "identity.upstream.url=ext::sh", "has a form that is not allowed")]
    [InlineData(78, "identity.method=swap", "identity.method is swap, but")]
    [InlineData(78, "identity.tree=/nonexistent/code", "there is no /nonexistent/code")]
    [InlineData(78, "identity.interval=00:00:01", "must be 0 or between")]
    public async Task A_wrong_setting_is_one_clear_line_and_the_tree_is_untouched(int code, string setting, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        var picture = scene.Picture();

        var (exit, text) = await scene.RunAsync("sync", "--set", setting);

        Assert.Equal(code, exit);
        Assert.StartsWith("fleet-sidecar: ", Assert.Single(text.Split('\n')), StringComparison.Ordinal);
        Assert.Contains(why, text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_trees_own_repository_is_left_alone_and_its_history_is_known()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        string Git() => string.Join('\n', Directory.EnumerateFiles(Path.Combine(scene.Tree, ".git"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(file => $"{file} {Convert.ToHexString(File.ReadAllBytes(file))}"));
        var before = Git();

        await scene.MustAsync("sync");

        Assert.Equal(before, Git());
        Assert.False(Directory.Exists(Path.Combine(scene.Tree, "app", "only-1"))); // Its HEAD told which files were the old version's.
    }

    [Fact(Timeout = 120_000)]
    public async Task What_the_agent_writes_while_a_version_is_staged_is_in_the_new_one()
    {
        var scene = await IdentityScene.CreateAsync(_directory, "swap");
        var crash = new CrashPoint(_directory, "sync_overlaid");
        using var sync = scene.Start(crash);
        await crash.ReachedAsync();
        File.AppendAllText(Path.Combine(scene.Tree, "MEMORY.md"), "- written meanwhile\n");

        crash.Release();

        Assert.Equal(0, await sync.EndAsync());
        Assert.EndsWith("- written meanwhile\n", File.ReadAllText(Path.Combine(scene.Tree, "MEMORY.md")), StringComparison.Ordinal);
        Assert.EndsWith("- written meanwhile\n", File.ReadAllText(Path.Combine(scene.Root("backup"), "MEMORY.md")), StringComparison.Ordinal);
        Assert.Equal(scene.Newest, scene.CodeVersion());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "sync_placing")]
    [InlineData("in-place", "identity_written")]
    [InlineData("swap", "sync_overlaid")]
    [InlineData("swap", "sync_turned")]
    public async Task A_sync_that_was_cut_short_can_be_taken_back_instead(string method, string point)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var crash = new CrashPoint(_directory, point);
        using (var sync = scene.Start(crash))
        {
            await crash.ReachedAsync();
            sync.Kill();
        }

        Assert.Contains("had been cut short", await scene.MustAsync("sync", "--rollback"), StringComparison.Ordinal);

        Assert.Equal("1", scene.CodeVersion());
        Assert.True(File.Exists(Path.Combine(scene.Tree, "app", "only-1", "file")));
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_journal_whose_bytes_a_disk_spoilt_is_not_believed(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.ContaminateAsync("live");
        var crash = new CrashPoint(_directory, "sync_journaled");
        using (var sync = scene.Start(crash))
        {
            await crash.ReachedAsync();
            sync.Kill();
        }

        foreach (var file in new[] { "SOUL.md", "MEMORY.md" })
        {
            File.WriteAllText(Path.Combine(scene.Home, "journal", "files", file), "I am Master\n# Memory of Master\n");
        }

        Assert.Empty(await IdentityKills.AfterRecoveryAsync(scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signed_commit_is_taken_where_signatures_are_asked_for()
    {
        var scene = await IdentityScene.CreateAsync(_directory, settings: """{ "identity": { "upstream": { "verifySignatures": true } } }""");
        var key = _directory["key"];
        await TestProgram.MustAsync("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
        _directory.Write("home/.gitconfig", $"[gpg \"ssh\"]\n  allowedSignersFile = {_directory["signers"]}\n");
        _directory.Write("signers", $"tester@fleet.invalid {File.ReadAllText(key + ".pub")}");
        Assert.Contains("upstream_unsigned", (await scene.RunAsync("sync")).Text, StringComparison.Ordinal);
        await IdentityScene.GitAsync(scene.Seed, "-c", "gpg.format=ssh", "-c", $"user.signingkey={key}", "commit", "-S", "--quiet", "--allow-empty", "--message", "Signed");
        await IdentityScene.GitAsync(scene.Seed, "push", "--quiet", "origin", "HEAD:main");

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["sync", "--config", scene.ConfigFile], new Dictionary<string, string?> { ["HOME"] = _directory["home"] });

        Assert.True(code == 0, text);
        Assert.Equal(scene.Newest, scene.CodeVersion());
    }

    [Fact(Timeout = 120_000)]
    public async Task Our_own_repository_may_be_damaged_and_is_made_anew_beside()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await scene.MustAsync("sync");
        await scene.PushContaminatedAsync();
        File.Delete(Path.Combine(scene.Home, "upstream.git", "HEAD"));

        await scene.MustAsync("sync", "--allow-rewind"); // The tree's own HEAD is all that is known of its version.

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Single(Directory.GetDirectories(scene.Home, "upstream.git.damaged-*"));
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
    }

    [Fact(Timeout = 120_000)]
    public async Task Another_user_than_the_daemons_is_turned_away_before_anything_is_written()
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a directory away");
        var scene = await IdentityScene.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/chown", "65534", scene.State);

        var (code, text) = await scene.RunAsync("sync");

        Assert.Equal(1, code);
        Assert.Contains("belongs to user 65534", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Without_git_it_says_so()
    {
        var scene = await IdentityScene.CreateAsync(_directory);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["sync", "--config", scene.ConfigFile], new Dictionary<string, string?> { ["PATH"] = "/nonexistent" });

        Assert.Equal(1, code);
        Assert.Contains("git_missing", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_read_only_and_a_full_disk_are_refused_or_taken_back_and_the_identity_is_whole()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-code"], megabytes: 4);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var scene = await IdentityScene.CreateAsync(_directory);
        await disk.RemountAsync("ro");
        var (code, text) = await scene.RunAsync("sync");
        Assert.Equal((1, true), (code, text.Contains("tree_not_writable", StringComparison.Ordinal)));
        await disk.RemountAsync("rw");

        for (var index = 0; index < 50; index++)
        {
            File.WriteAllBytes(Path.Combine(scene.Seed, "app", $"large-{index}"), System.Security.Cryptography.RandomNumberGenerator.GetBytes(200_000));
        }

        await scene.CommitAsync("Too large");
        (code, text) = await scene.RunAsync("sync");

        Assert.NotEqual(0, code);
        Assert.Contains("disk_full", text, StringComparison.Ordinal);
        Assert.Equal(IdentityScene.Files.Count(), scene.Ours().Count(source => source.StartsWith("live", StringComparison.Ordinal)));
        Assert.Equal("1", scene.CodeVersion()); // Taken back.
        await IdentityScene.GitAsync(scene.Seed, "rm", "-r", "--quiet", "app/large-*");
        await scene.PushContaminatedAsync();
        await scene.MustAsync("sync");
        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
    }

    private static async Task CommitIndexAsync(IdentityScene scene, string add = ".")
    {
        await IdentityScene.GitAsync(scene.Seed, "add", "--force", "--", add == "." ? ":!module" : add);
        await IdentityScene.GitAsync(scene.Seed, "commit", "--quiet", "--message", "Odd things");
        await IdentityScene.GitAsync(scene.Seed, "push", "--quiet", "origin", "HEAD:main");
    }
}
