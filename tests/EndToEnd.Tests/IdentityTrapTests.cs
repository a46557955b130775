namespace FleetSidecar.EndToEnd;

/// <summary>A sync reads a tree that an agent has in its hands, and runs nothing that is configured there.</summary>
public sealed class IdentityTrapTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_trees_own_repository_is_asked_for_its_commit_without_its_configuration()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        var trap = Trap();
        await TestProgram.MustAsync("/bin/bash", "-c", $"""
            cd '{scene.Tree}'; echo 1234567890123456789012345678901234567890 > .git/refs/heads/main
            git config core.repositoryformatversion 1; git config extensions.partialClone evil; git config remote.evil.promisor true; git config remote.evil.url '{scene.Upstream}'; git config remote.evil.uploadpack '{trap}'
            """);

        await scene.MustAsync("sync");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.False(File.Exists(_directory["sprung"]));
    }

    [Theory(Timeout = 120_000), Trait("kind", "a fixed name in a tree that others write")]
    [InlineData("in-place"), InlineData("swap")]
    public async Task Whether_the_tree_can_be_written_is_found_out_without_writing_there(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var victim = _directory.Write("victim", "of the daemon");
        foreach (var directory in new[] { scene.Tree, Path.GetDirectoryName(scene.Tree)! })
        {
            File.CreateSymbolicLink(Path.Combine(directory, ".fleet-sidecar.probe"), victim);
        }

        await scene.MustAsync("sync");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Equal("of the daemon", File.ReadAllText(victim));
    }

    // As a faulty tool writes them, and a server that checks nothing serves them.
    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "order")]
    [InlineData("swap", "order")]
    [InlineData("in-place", "twice")]
    public async Task A_version_whose_tree_is_damaged_is_refused_before_anything_is_begun_and_the_next_good_one_is_taken(string method, string how)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.MustAsync("sync");
        var names = how == "order" ? "zz version" : "version version";
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""
            cd '{{scene.Upstream}}'; blob=$(git rev-parse main:app/version)
            app=$(for name in {{names}}; do printf '100644 %s\0' $name; printf "$(echo $blob | sed 's/../\\x&/g')"; done | git hash-object -t tree -w --stdin --literally)
            tree=$(git ls-tree main | sed "s/ tree [0-9a-f]*\tapp$/ tree $app\tapp/" | git mktree)
            git update-ref refs/heads/main $(git -c user.name=n -c user.email=n@fleet.invalid commit-tree $tree -p main -m Damaged)
            """);
        var picture = scene.Picture();

        var (code, text) = await scene.RunAsync("sync");

        Assert.NotEqual(0, code);
        Assert.Contains("out of order", text, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")));
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Upstream}'; git update-ref refs/heads/main $(git -c user.name=n -c user.email=n@fleet.invalid commit-tree main~^{{tree}} -p main -m Mended)");
        await scene.MustAsync("sync");
        await scene.MustAsync("identity", "check");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_repository_in_the_place_of_a_submodule_is_not_asked_what_changed_in_it(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var trap = Trap();
        await TestProgram.MustAsync("/bin/bash", "-c", $"""
            git init --quiet '{_directory["module"]}'; cd '{_directory["module"]}'; echo '* filter=evil' > .gitattributes; echo x > x; git add .; git -c user.name=n -c user.email=n@fleet.invalid commit --quiet -m X
            cd '{scene.Seed}'; git clone --quiet '{_directory["module"]}' module
            """);
        await scene.CommitAsync("Module");
        await scene.MustAsync("sync");
        await TestProgram.MustAsync("/bin/bash", "-c", $"""
            cd '{scene.Tree}/'; rmdir module; git clone --quiet '{_directory["module"]}' module; touch module/x; git -C module config filter.evil.clean '{trap}'
            """);
        await scene.PushContaminatedAsync();

        await scene.MustAsync("sync");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.False(File.Exists(_directory["sprung"]));
    }

    private string Trap() => _directory.WriteScript("trap", "echo \"$0 $*\" >> \"$(dirname \"$0\")/sprung\"; cat");
}
