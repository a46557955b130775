namespace FleetSidecar.EndToEnd;

/// <summary>A repository that is a directory of this machine: which are taken, and what of them is never run.</summary>
public sealed class LocalOriginTests : WorkspaceTests
{
    private const string Work = "echo x > new; git add --all; git commit --quiet -m New; fleet-sidecar task complete";

    [Fact(Timeout = 120_000), Trait("kind", "a task names a directory that an agent wrote")]
    public async Task One_that_the_operator_did_not_name_word_for_word_is_refused_whatever_patterns_there_are()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync(Work, """{ "workspace": { "allowedRepositories": ["*", "/*", "file:///*"] } }""");

        foreach (var (address, count) in new[] { (origin.Path, 1), ($"file://{origin.Path}", 2), ($"FILE://{origin.Path}", 3) })
        {
            var reason = (await FailAsync(origin, $"task-{count}", 1, count, address)).GetProperty("reason").GetString();
            Assert.StartsWith("repository_forbidden: the repository is a directory of this machine", reason, StringComparison.Ordinal);
        }

        Assert.Empty(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000), Trait("kind", "a task names a directory that an agent wrote")]
    public async Task One_in_the_sidecars_own_directories_or_behind_a_link_into_them_is_refused_also_where_it_is_named()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var (inside, link) = (Scene["iris-state/results/o.git"], Scene["way/o.git"]);
        Directory.CreateDirectory(Path.GetDirectoryName(inside)!);
        await TestProgram.MustAsync("/usr/bin/git", "clone", "--quiet", "--bare", origin.Path, inside);
        Directory.CreateSymbolicLink(Scene["way"], Path.GetDirectoryName(inside)!);
        await StartAsync(Work, $$"""{ "workspace": { "allowedRepositories": ["*", "{{inside}}", "{{link}}"] } }""");

        Assert.Contains("own directories", (await FailAsync(origin, "task-a", 1, 1, inside)).GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("own directories", (await FailAsync(origin, "task-b", 1, 2, link)).GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    [Theory(Timeout = 120_000), Trait("kind", "a task names a directory that an agent wrote")]
    [InlineData("origin.git")]
    [InlineData("origin.git/config")]
    public async Task One_that_another_user_may_write_is_refused(string what)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root to give a file to another user");
        var origin = await GitOrigin.CreateAsync(Scene);
        await TestProgram.MustAsync("/bin/chown", "65534", Scene[what]);
        await StartAsync(Work);

        var reason = (await FailAsync(origin, "task-a", 1)).GetProperty("reason").GetString();

        Assert.StartsWith($"repository_untrusted: {origin.Path} is in other hands: {Scene[what]} belongs to", reason, StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    // The operator has named it, and its owner is trusted: what its configuration names is run all the same by nobody.
    [Theory(Timeout = 120_000), Trait("kind", "a repository's configuration names programs")]
    [InlineData("bare")]
    [InlineData("with a work tree")]
    public async Task Its_hooks_and_the_programs_of_its_configuration_are_not_run(string kind)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var trap = Scene.WriteScript("trap", "echo \"$0 $*\" >> \"$(dirname \"$0\")/sprung\"; cat");
        foreach (var hook in new[] { "pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive", "push-to-checkout" })
        {
            Scene.WriteScript($"origin.git/hooks/{hook}", $"exec {trap}");
        }

        foreach (var key in new[] { "core.fsmonitor", "core.alternateRefsCommand", "core.sshCommand", "uploadpack.packObjectsHook", "gpg.program", "filter.evil.smudge", "filter.evil.clean" })
        {
            await origin.GitAsync("config", key, trap);
        }

        await origin.GitAsync("config", "receive.certNonceSeed", "seed");
        await TestProgram.MustAsync("/usr/bin/git", "init", "--quiet", "--bare", Scene["lent.git"]);
        await File.WriteAllTextAsync(Path.Combine(origin.Path, "objects/info/alternates"), $"{Scene["lent.git"]}/objects\n");
        if (kind != "bare")
        {
            await origin.GitAsync("config", "core.bare", "false");
            await origin.GitAsync("config", "core.worktree", Directory.CreateDirectory(Scene["tree"]).FullName);
            await origin.GitAsync("config", "receive.denyCurrentBranch", "updateInstead");
            await origin.GitAsync("symbolic-ref", "HEAD", "refs/heads/iris/task-a");
        }

        await StartAsync($"echo '* filter=evil' > .gitattributes; {Work}");

        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Any(), "the end");

        Assert.False(File.Exists(Scene["sprung"]), File.Exists(Scene["sprung"]) ? await File.ReadAllTextAsync(Scene["sprung"]) : "");
        Assert.Equal(kind == "bare" ? 1 : 0, Hub.Of("task_complete").Count()); // One whose own branch is checked out is refused.
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_takes_a_task_for_such_a_directory_only_where_it_was_started_so()
    {
        using var hub = await TestHub.StartAsync(Scene);
        var task = await hub.AddAsync("x", "/srv/git/app.git");
        hub.Kill();
        hub.LocalRepositories = false;
        await hub.StartAsync();

        foreach (var address in new[] { "/srv/git/app.git", "file:///srv/git/app.git", "File:///srv/git/app.git" })
        {
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => hub.AddAsync("x", address));
            Assert.Contains("--local-repositories", refusal.Message, StringComparison.Ordinal);
        }

        await hub.AddAsync("x", "https://git.example/app.git");
        Assert.Equal("queued", (await hub.TaskAsync(task)).GetProperty("status").GetString());
    }
}
