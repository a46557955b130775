namespace FleetSidecar.EndToEnd;

/// <summary>What agents and upstreams do to git, and what must be on the origin afterwards.</summary>
public sealed class GitFenceTests : WorkspaceTests
{
    private const string Commit = "echo \"$FLEET_GENERATION\" >> work.txt; git add --all; git commit --quiet -m Work";
    private const string Done = "fleet-sidecar task complete";

    [Fact(Timeout = 120_000)]
    public async Task L12_the_next_attempt_begins_where_the_last_one_pushed_and_each_keeps_its_ref()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\n{Done}");
        var first = await CompleteAsync(origin, "task-a", 1);
        var second = await CompleteAsync(origin, "task-a", 2);

        Assert.Equal("1\n2", await origin.GitAsync("show", $"{second}:work.txt").TrimAsync());
        Assert.Equal((first, second), (await RefAsync(origin, "refs/fleet/task-a/1"), await RefAsync(origin, "refs/fleet/task-a/2")));
        Assert.Equal(["2", "1"], (await origin.GitAsync("log", "--format=%(trailers:key=Fleet-Generation,valueonly,separator=)", "-2", second)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact(Timeout = 120_000)]
    public async Task L12_two_tasks_with_the_same_words_never_share_a_branch()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\n{Done}");

        Assert.NotEqual(await CompleteAsync(origin, "task-a", 1), await CompleteAsync(origin, "task-b", 1));
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
        Assert.NotNull(await origin.HeadAsync("iris/task-b"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_branch_that_the_agent_made_for_itself_is_delivered_under_the_tasks_name_and_named()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"git checkout --quiet -b mine; {Commit}\ngit push --quiet origin mine 2>\"$FLEET_TEST_DIR/refused\" && exit 9\ngit push --quiet --no-verify origin mine\n{Done}");

        var commit = await CompleteAsync(origin, "task-a", 1);

        Assert.Contains("only refs/heads/iris/task-a may be pushed from here", await File.ReadAllTextAsync(Scene["refused"]), StringComparison.Ordinal);
        Assert.Equal(commit, await origin.HeadAsync("iris/task-a"));
        var report = Completed("task-a").GetProperty("verification_report").GetRawText();
        Assert.Contains("made on 'mine', delivered on iris/task-a", report, StringComparison.Ordinal);
        Assert.Contains("pushed the work under this name too", report, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("git push --quiet origin HEAD:refs/heads/main", "only refs/heads/iris/task-a may be pushed")]
    [InlineData("git push --quiet origin :refs/heads/main", "only refs/heads/iris/task-a may be pushed")]
    [InlineData("git push --quiet origin :refs/heads/iris/task-a", "may not be deleted")]
    [InlineData("git checkout --quiet --orphan new; git commit --quiet -m New; git push --quiet --force origin HEAD:refs/heads/iris/task-a", "does not stand on")]
    public async Task The_clones_own_hook_refuses_what_is_not_the_tasks(string push, string complaint)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var main = await origin.HeadAsync("main");
        await StartAsync($"{Commit}\ngit push --quiet origin HEAD:refs/heads/iris/task-a\n( {push} ) 2>\"$FLEET_TEST_DIR/refused\" && exit 9\ngit checkout --quiet --force iris/task-a\n{Done}");

        await CompleteAsync(origin, "task-a", 1);

        Assert.Contains(complaint, await File.ReadAllTextAsync(Scene["refused"]), StringComparison.Ordinal);
        Assert.Equal(main, await origin.HeadAsync("main"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Commits_on_a_detached_head_are_delivered()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"git checkout --quiet --detach; {Commit}\n{Done}");

        Assert.NotNull(await CompleteAsync(origin, "task-a", 1));
        Assert.Contains("made on a detached HEAD", Completed("task-a").GetProperty("verification_report").GetRawText(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Two_lines_of_work_are_a_failure_and_both_are_kept()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}; git checkout --quiet -b other HEAD~; echo b > b; git add b; git commit --quiet -m B\n{Done}");

        var failed = await FailAsync(origin, "task-a", 1);

        Assert.Contains("two lines of work", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await RescuedAsync(origin, "refs/fleet/rescue/task-a/1");
        Assert.Equal("1", await origin.GitAsync("rev-list", "--count", "--grep=^Work$", "refs/fleet/rescue/task-a/1").TrimAsync());
        Assert.Equal("1", await origin.GitAsync("rev-list", "--count", "--grep=^B$", "refs/fleet/rescue/task-a/1").TrimAsync());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("")]
    [InlineData("git push --quiet --force origin iris/task-a")]
    public async Task Rewritten_commits_of_an_earlier_attempt_are_archived_whoever_moved_the_branch(string push)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"if [ \"$FLEET_GENERATION\" = 2 ]; then git commit --quiet --amend -m Better --allow-empty; {push}\nelse {Commit}; fi\n{Done}");
        var first = await CompleteAsync(origin, "task-a", 1);
        var second = await CompleteAsync(origin, "task-a", 2);

        Assert.NotEqual(first, second);
        Assert.Equal(second, await origin.HeadAsync("iris/task-a"));
        Assert.Equal(first, await RefAsync(origin, "refs/fleet/rescue/task-a/2-before"));
        Assert.Contains("were rewritten", Completed("task-a", 2).GetProperty("verification_report").GetRawText(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_earlier_attempts_commits_that_the_agent_threw_off_the_branch_before_it_failed_are_rescued()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\nif [ \"$FLEET_GENERATION\" = 1 ]; then git push --quiet origin iris/task-a; exit 3; fi\ngit reset --quiet --hard origin/main; {Commit}; git push --quiet --force origin iris/task-a; exit 3");
        await FailAsync(origin, "task-a", 1);
        var first = await origin.HeadAsync("iris/task-a");
        await FailAsync(origin, "task-a", 2, count: 2);

        var saved = await RescuedAsync(origin, "refs/fleet/rescue/task-a/2");

        Assert.Contains(first, (await origin.GitAsync("rev-list", saved)).Split('\n'));
    }

    [Fact(Timeout = 120_000)]
    public async Task What_somebody_else_pushed_to_the_branch_meanwhile_is_never_overwritten()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\nfleet-sidecar task start\n{Scripts.WaitForGo}\n{Done}");
        await AssignAsync(origin.Path, "task-a", 1);
        await Hub.WaitForAsync("wake_result");
        var other = (await origin.GitAsync("commit-tree", "main^{tree}", "-p", "main", "-m", "Somebody else")).Trim();
        await origin.GitAsync("update-ref", "refs/heads/iris/task-a", other);
        Scripts.Go(Scene);

        var failed = await Hub.WaitForAsync("task_failed");

        Assert.Contains("branch_moved", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(other, await origin.HeadAsync("iris/task-a"));
        await RescuedAsync(origin, "refs/fleet/rescue/task-a/1");
    }

    [Fact(Timeout = 120_000)]
    public async Task An_attempt_that_a_later_one_has_overtaken_delivers_nothing_and_is_archived()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\nfleet-sidecar task start\n{Scripts.WaitForGo}\n{Done}");
        await AssignAsync(origin.Path, "task-a", 3);
        await Hub.WaitForAsync("wake_result");
        await origin.GitAsync("update-ref", "refs/fleet/task-a/4", "main"); // Another machine has delivered generation 4.
        Scripts.Go(Scene);

        var failed = await Hub.WaitForAsync("task_failed");

        Assert.Contains("stale_generation", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Null(await origin.HeadAsync("iris/task-a"));
        await RescuedAsync(origin, "refs/fleet/rescue/task-a/3");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_base_that_is_not_the_hubs_is_tried_again_and_then_the_agent_is_not_woken()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\n{Done}");

        await AssignAsync(origin.Path, "task-a", 1, """{"base_commit":"0123456789012345678901234567890123456789"}""");
        var failed = await Hub.WaitForAsync("task_failed");

        Assert.Contains("stale_base: the hub expects refs/heads/main at 0123456", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await Sidecar.Program.WaitForLinesAsync("PrepareAgain]", 2);
        Assert.Empty(Scripts.Executions(Scene));
        await AssignAsync(origin.Path, "task-b", 1, $$"""{"base_commit":"{{await origin.HeadAsync("main")}}" }""");
        await Hub.WaitForAsync("task_complete");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_rewritten_upstream_is_followed_and_running_work_keeps_its_base()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\nfleet-sidecar task start\n{Scripts.WaitForGo}\n{Done}");
        await AssignAsync(origin.Path, "task-a", 1);
        await Hub.WaitForAsync("wake_result");
        await origin.GitAsync("update-ref", "refs/heads/main", (await origin.GitAsync("commit-tree", "main^{tree}", "-m", "Rewritten")).Trim());
        Scripts.Go(Scene);
        await Hub.WaitForAsync("task_complete");
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));

        var commit = await CompleteAsync(origin, "task-b", 1);

        Assert.Equal(await origin.HeadAsync("main"), await origin.GitAsync("rev-parse", $"{commit}~").TrimAsync());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("find objects -type f -exec sh -c 'chmod u+w \"$1\"; echo garbage > \"$1\"' sh {} ;", "replaced-")]
    [InlineData("rm -rf objects", "replaced-")]
    [InlineData("rm -f HEAD config", "replaced-")]
    [InlineData("touch packed-refs.lock refs/heads/main.lock config.lock; echo {} > ../$(basename \"$PWD\").owner", "")]
    public async Task A_mirror_that_is_damaged_is_made_anew_and_what_a_killed_git_left_is_cleared(string damage, string beside)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Commit}\n{Done}");
        await CompleteAsync(origin, "task-a", 1);
        var mirror = Directory.GetDirectories(Path.Combine(Sidecar.State, "mirrors"), "*.git").Single();
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd \"$1\" && {damage.Replace("{} ;", "{} \\;", StringComparison.Ordinal)}", "bash", mirror);
        await origin.GitAsync("update-ref", "refs/heads/main", (await origin.GitAsync("commit-tree", "main^{tree}", "-p", "main", "-m", "Meanwhile")).Trim());

        var commit = await CompleteAsync(origin, "task-b", 1);

        Assert.Equal(await origin.HeadAsync("main"), await origin.GitAsync("rev-parse", $"{commit}~").TrimAsync());
        Assert.Equal(beside.Length > 0, Directory.GetDirectories(Path.Combine(Sidecar.State, "mirrors")).Any(path => path.Contains("replaced-", StringComparison.Ordinal)));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("trunk")]
    [InlineData("feature/Ünïcode-漢字")]
    public async Task A_default_branch_of_any_name_is_the_base(string name)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await origin.GitAsync("branch", "--move", "main", name);
        await origin.GitAsync("symbolic-ref", "HEAD", $"refs/heads/{name}");
        await StartAsync($"{Commit}\n{Done}");

        Assert.NotNull(await CompleteAsync(origin, "task-a", 1));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_empty_repository_is_refused_by_its_code_before_anybody_is_woken()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await origin.GitAsync("update-ref", "-d", "refs/heads/main");
        await StartAsync($"{Commit}\n{Done}");

        Assert.Contains("empty_repository", (await FailAsync(origin, "task-a", 1)).GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task Odd_names_submodules_and_lfs_pointers_are_delivered_as_they_are()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var pointer = "version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\\nsize 12345\\n";
        await StartAsync($$"""
            printf '*.bin filter=lfs diff=lfs merge=lfs -text\n' > .gitattributes
            printf '{{pointer}}' > big.bin
            printf x > "$(printf 'new\nline')"
            printf x > "$(printf 'latin-\351')"
            printf '[submodule "sub"]\n\tpath = sub\n\turl = ../nowhere.git\n' > .gitmodules
            mkdir -p sub; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub
            {{Commit}}
            {{Done}}
            """);

        var first = await CompleteAsync(origin, "task-a", 1);
        var second = await CompleteAsync(origin, "task-a", 2); // And a workspace is made from all that.

        Assert.Equal(pointer.Replace("\\n", "\n", StringComparison.Ordinal).TrimEnd(), await origin.GitAsync("show", $"{second}:big.bin"));
        var names = await origin.GitAsync("ls-tree", "--name-only", first);
        Assert.Contains("\"new\\nline\"", names, StringComparison.Ordinal);
        Assert.Contains("\"latin-\\351\"", names, StringComparison.Ordinal);
        Assert.StartsWith("160000", await origin.GitAsync("ls-tree", second, "sub"), StringComparison.Ordinal);
        Assert.DoesNotContain("WorkRescued]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_origin_that_is_gone_at_push_time_gets_the_work_when_it_is_back_and_nothing_is_reported_before()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var daemon = new GitDaemon(Scene);
        await StartAsync($"{Commit}\nfleet-sidecar task start\n{Scripts.WaitForGo}\n{Done}");
        await Hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"repo":"{{daemon.AddressOf(origin)}}"}""");
        await Hub.WaitForAsync("wake_result");
        daemon.Stop();
        Scripts.Go(Scene);
        await Sidecar.Program.WaitForLinesAsync("SubmitAgain]", 2);
        Assert.Empty(Hub.Of("task_complete"));
        Sidecar.Program.Kill(); // Nor does the work depend on a process.
        await Sidecar.StartAsync();
        daemon.Start();

        await Hub.WaitForAsync("task_complete");

        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
        Assert.Single(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_record_of_an_attempt_is_pushed_again_when_the_origin_went_away_over_it()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("origin.git/hooks/update", $"case $1 in refs/fleet/task-a/*) [ -e '{Scene["once"]}' ] || {{ touch '{Scene["once"]}'; kill -9 $PPID; }};; esac");
        using var server = new GitDaemon(Scene);
        await StartAsync($"{Commit}\n{Done}");

        var commit = await CompleteAsync(origin, "task-a", 1, server.AddressOf(origin));

        Assert.True(File.Exists(Scene["once"]));
        Assert.Equal(commit, await RefAsync(origin, "refs/fleet/task-a/1"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Work_that_is_proved_to_be_there_is_delivered_whatever_the_origin_says_afterwards()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", "for word; do [ \"$word\" != 'refs/heads/*' ] || { echo 'fatal: unable to access it: Connection refused' >&2; exit 128; }; done\nexec /usr/bin/git \"$@\"");
        await StartAsync($"{Commit}\n{Done}", environment: new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });

        Assert.Equal(await CompleteAsync(origin, "task-a", 1), await origin.HeadAsync("iris/task-a"));
        Assert.DoesNotContain("SubmitAgain]", Sidecar.Program.Text, StringComparison.Ordinal);
    }
}
