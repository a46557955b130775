namespace FleetSidecar.EndToEnd;

/// <summary>Clones that were made into traps: nothing that an agent wrote into one is run, followed or believed.</summary>
public sealed class HostileCloneTests : WorkspaceTests
{
    private const string Ref = "refs/fleet/rescue/task-a/1", RemoveAtOnce = """{ "workspace": { "keepFor": "00:00:00" } }""";

    // A commit with a signature, pushed and then replaced: whoever asks where the branch came from meets it.
    private const string Signed = """
        signed=$(printf 'tree %s\nparent %s\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nS\n' $(git rev-parse HEAD^{tree}) $(git rev-parse HEAD) | git hash-object -t commit -w --stdin)
        git reset --quiet --hard $signed; git push --quiet origin HEAD:refs/heads/iris/task-a; git commit --quiet --amend --allow-empty -m Better; git config log.showSignature true
        """;

    // A commit that is nowhere, and somebody who is said to have it.
    private const string Promised = """
        printf '%040d 1234567890123456789012345678901234567890 a <a@b> 1 +0000\tx\n' 0 >> .git/logs/HEAD
        git config core.repositoryformatversion 1; git config extensions.partialClone evil; git config remote.evil.promisor true; git config remote.evil.url "$FLEET_TEST_DIR/origin.git"; git config remote.evil.uploadpack "$FLEET_TEST_DIR/trap"
        """;

    private const string Nested = """
        git init --quiet nested; ( cd nested; echo '* filter=evil' > .gitattributes; echo x > x; git add .; git -c user.name=n -c user.email=n@fleet.invalid commit --quiet -m X )
        git add nested 2>/dev/null; git commit --quiet -m N; touch nested/x
        """;

    [Theory(Timeout = 120_000)]
    [InlineData("")]
    [InlineData(Promised)]
    [InlineData(Signed)]
    [InlineData(Nested + "\ngit -C nested config filter.evil.clean \"$FLEET_TEST_DIR/trap\"")]
    public async Task Nothing_that_an_agent_wrote_into_its_clones_configuration_is_run_or_believed(string also)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var trap = Scene.WriteScript("trap", "echo \"$0 $*\" >> \"$(dirname \"$0\")/sprung\"; cat");
        await StartAsync($$"""
            echo a > a; git add a; git commit --quiet -m A
            {{also}}
            echo '* filter=evil diff=evil' > .gitattributes; echo loose > f
            for key in core.fsmonitor core.sshCommand core.editor core.pager core.gitProxy core.alternateRefsCommand diff.external filter.evil.clean filter.evil.process credential.helper gpg.program diff.evil.textconv uploadpack.packObjectsHook; do git config $key {{trap}}; done
            git config core.hooksPath {{Scene["hooks"]}}; git config remote.origin.pushurl ext::{{trap}}; git config url.{{Scene["elsewhere.git"]}}.insteadOf {{origin.Path}}; git config protocol.ext.allow always
            echo '[core]' > .git/config.worktree
            fleet-sidecar task complete
            """);
        foreach (var hook in new[] { "pre-push", "reference-transaction", "post-index-change" })
        {
            Scene.WriteScript($"hooks/{hook}", $"exec {trap}");
        }

        await AssignAsync(origin.Path);
        var done = await Hub.WaitForAsync("task_complete");

        Assert.Equal(done.GetProperty("result").GetProperty("commit").GetString(), await origin.HeadAsync("iris/task-a"));
        var saved = await Wait.ForAsync(() => RefAsync(origin, Ref), "the rescue");
        Assert.Equal("loose", (await origin.GitAsync("show", $"{saved}:f")).Trim());
        Assert.False(File.Exists(Scene["sprung"]), File.Exists(Scene["sprung"]) ? File.ReadAllText(Scene["sprung"]) : "");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_clone_that_became_a_link_is_not_followed_and_nothing_of_what_it_leads_to_is_pushed_or_removed()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var precious = Scene["precious"];
        await TestProgram.MustAsync("/usr/bin/git", "init", "--quiet", precious);
        Scene.Write("precious/secret", "s3cret");
        await StartAsync($"cd ..; mv work hidden; ln -s {precious} work; ln -s {precious} ../run-link\nexit 3", RemoveAtOnce);
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await Sidecar.Program.WaitForLineAsync("WorkspaceKept]");

        Assert.Contains("the clone was replaced by a link", Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.True(File.Exists(Scene["precious/secret"]));
        Assert.Null(await RefAsync(origin, Ref));
    }

    // Another run's clone, or a repository of somebody else on this machine, may stand on the same base.
    [Theory(Timeout = 120_000)]
    [InlineData("cd ..; mv work hidden; ln -s \"$FLEET_TEST_DIR/private\" work", "the clone was replaced by a link")]
    [InlineData("mkdir \"$FLEET_TEST_DIR/moved\"; cd ..; mv \"$FLEET_TEST_DIR/private\" \"$FLEET_TEST_DIR/moved/work\"; cp -a .[a-z]* * \"$FLEET_TEST_DIR/moved\" || :; cd ..; mv \"$FLEET_RUN_ID\" \"$FLEET_TEST_DIR/hidden\"; ln -s \"$FLEET_TEST_DIR/moved\" \"$FLEET_RUN_ID\"", "the clone's directory was replaced by a link")]
    public async Task Work_behind_a_link_is_not_delivered_as_this_tasks(string harm, string why)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await TestProgram.MustAsync("/usr/bin/git", "clone", "--quiet", origin.Path, Scene["private"]);
        Scene.Write("private/secret", "s3cret");
        await TestProgram.MustAsync("/bin/sh", "-ec", $"cd {Scene["private"]}; git add .; git -c user.name=x -c user.email=x@example.com commit --quiet -m Private");
        await StartAsync($"FLEET_RUN_ID=$(basename \"$FLEET_RUN_DIR\")\n{harm}\nfleet-sidecar task complete", RemoveAtOnce);
        await AssignAsync(origin.Path);
        var failed = await Hub.WaitForAsync("task_failed");

        Assert.Contains(why, failed.GetRawText().Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Null(await origin.HeadAsync("iris/task-a"));
        Assert.Null(await RefAsync(origin, Ref));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mv .git/objects \"$FLEET_TEST_DIR/o\"; ln -s \"$FLEET_TEST_DIR/o\" .git/objects", ".git/objects is not what git makes there")]
    [InlineData("mv .git/refs \"$FLEET_TEST_DIR/r\"; ln -s \"$FLEET_TEST_DIR/r\" .git/refs", ".git/refs is not what git makes there")]
    [InlineData("rm -f .git/packed-refs; mkdir .git/packed-refs", ".git/packed-refs is not what git makes there")]
    [InlineData("mv .git/HEAD \"$FLEET_TEST_DIR/h\"; ln -s \"$FLEET_TEST_DIR/h\" .git/HEAD", ".git/HEAD names neither a branch nor a commit")]
    [InlineData("cp -r .git \"$FLEET_TEST_DIR/g\"; echo \"$FLEET_TEST_DIR/g\" > .git/commondir", "keeps its refs elsewhere (.git/commondir)")]
    [InlineData("rm -rf .git", "has lost its .git directory")]
    public async Task A_clone_that_is_no_repository_any_more_is_left_as_it_is(string harm, string why)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"echo a > a; git add a; git commit --quiet -m A; echo loose > f\n{harm}\nfleet-sidecar task complete", RemoveAtOnce);
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await Sidecar.Program.WaitForLineAsync("WorkspaceKept]");

        Assert.Contains(why, Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.Null(await RefAsync(origin, Ref));
        Assert.Null(await origin.HeadAsync("iris/task-a"));
        Assert.True(File.Exists(Path.Combine(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")).Single(), "work", "f")));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_view_that_somebody_wrote_into_is_made_anew()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($$"""
            echo a > a; git add a; git commit --quiet -m A; git init --quiet --bare "$FLEET_TEST_DIR/other"
            mkdir ../fleet-view; cp .git/HEAD ../fleet-view; echo "$FLEET_TEST_DIR/other" > ../fleet-view/commondir
            fleet-sidecar task complete
            """);

        Assert.NotNull(await CompleteAsync(origin, "task-a", 1));

        var view = Path.Combine(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")).Single(), "fleet-view");
        Assert.Equal(["HEAD", "config", "logs", "objects", "packed-refs", "refs", "shallow"], Directory.GetFileSystemEntries(view).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_fence_is_not_written_through_a_link()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var precious = Scene.Write("precious", "of the sidecar");
        await StartAsync($"echo a > a; git add a; git commit --quiet -m A; cp .git/fleet/fence \"$FLEET_TEST_DIR/before\"; ln -s {precious} .git/fleet/fence.tmp\nfleet-sidecar task complete");

        await CompleteAsync(origin, "task-a", 1);

        var fence = Path.Combine(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")).Single(), "work", ".git", "fleet", "fence");
        await Wait.UntilAsync(() => File.ReadAllText(fence).EndsWith("over\n", StringComparison.Ordinal), "the fence to be over");
        Assert.EndsWith("current\n", File.ReadAllText(Scene["before"]), StringComparison.Ordinal);
        Assert.Equal("of the sidecar", File.ReadAllText(precious));
    }
}
