namespace FleetSidecar.EndToEnd;

/// <summary>Files that would hold git, feed it without end or lead it elsewhere: what one agent left costs neither the daemon nor the others, and stays to be looked at.</summary>
public sealed class HostileFilesTests : WorkspaceTests
{
    private const string Evil = "evil=\"$FLEET_TEST_DIR/evil\"; mkdir -p \"$evil/objects\" \"$evil/refs\" n; mkfifo \"$evil/HEAD\"; ";

    [Theory(Timeout = 120_000)]
    [InlineData("rm .git/index; mkfifo .git/index", ".git/index is not what git makes there")]
    [InlineData("truncate -s 600M .git/index", ".git/index is larger than")]
    [InlineData("mkfifo .git/refs/heads/zz", ".git/refs/heads/zz is not what git makes there")]
    [InlineData("mkfifo \"$FLEET_TEST_DIR/p\"; ln -s \"$FLEET_TEST_DIR/p\" .git/refs/heads/zz", ".git/refs/heads/zz is not what git makes there")]
    [InlineData("truncate -s 2G .git/refs/heads/zz", ".git/refs/heads/zz is larger than")]
    [InlineData("rm -rf .git/logs/refs; mkfifo .git/logs/refs", ".git/logs/refs is not what git makes there")]
    [InlineData("mkdir .git/objects/zz; touch .git/objects/zz/a", ".git/objects/zz is not what git makes there")]
    [InlineData("mkdir sub; mkfifo sub/.gitignore", "'./sub/.gitignore' is nothing that git could read")]
    [InlineData("mkfifo .gitattributes", "'./.gitattributes' is nothing that git could read")]
    [InlineData("truncate -s 2G .gitignore", "'./.gitignore' is nothing that git could read")]
    [InlineData("mkdir -p n/.git/objects n/.git/refs; mkfifo n/.git/HEAD", "'./n/.git/HEAD' is nothing that git could read")]
    [InlineData(Evil + "echo \"gitdir: $evil\" > n/.git", "'./n/.git' is nothing that git could read")]
    [InlineData(Evil + "ln -s \"$evil\" n/.git", "'./n/.git' is nothing that git could read")]
    [InlineData(Evil + "git init --quiet n; echo \"$evil\" > n/.git/commondir", "'./n/.git/commondir' is nothing that git could read")]
    [InlineData(Evil + "mkfifo \"$evil/objects/ff\"; echo \"$evil/objects\" >> .git/objects/info/alternates", "borrows objects from elsewhere")]
    [InlineData("lender=$(cat .git/objects/info/alternates); echo \"$lender/../../../../../elsewhere\" >> .git/objects/info/alternates", "borrows objects from elsewhere")]
    public async Task What_would_hold_git_or_lead_it_elsewhere_is_kept_and_the_next_ones_work_is_saved(string harm, string why)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"echo loose > f\n[ $FLEET_TASK_ID = task-b ] || {{ {harm}; }}\nexit 3", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await Sidecar.Program.WaitForLineAsync("WorkspaceKept]");
        await AssignAsync(origin.Path, "task-b");

        Assert.Equal("loose", (await origin.GitAsync("show", $"{await RescuedAsync(origin, "refs/fleet/rescue/task-b/1")}:f")).Trim());
        Assert.Contains(why, Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Sidecar.State, "workspaces", Kept(), "work", "f")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("echo '* text' >attrs; ln -s attrs .gitattributes; mkdir b; ln -s ../attrs b/.gitattributes; ln -s attrs .gitignore")]
    [InlineData("echo '!a text' >.gitattributes; head -c 3000 /dev/zero | tr '\\0' a >>.gitattributes")]
    [InlineData("echo '* text eol=crlf' >.gitattributes; echo unix >f")]
    [InlineData("echo x >f; git commit-graph write --reachable --split; mkdir .git/objects/tmp_objdir-incoming-x .git/objects/incoming-x")]
    [InlineData("echo x >f; git branch \"$(printf 'caf\\351')\"; git tag \"$(printf 't\\351')\"; mkdir -p .git/refs/remotes; printf '%s\\n' $(git rev-parse HEAD) >\".git/refs/remotes/$(printf 'caf\\351')\"")]
    public async Task Rules_that_git_passes_over_keep_no_workspace_whose_work_is_on_the_origin(string rules)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{rules}\ngit add --all; git commit --quiet -m Rules\nfleet-sidecar task complete", """{ "workspace": { "keepFor": "00:00:00" } }""");

        await CompleteAsync(origin, "task-a", 1);

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");
        Assert.DoesNotContain("WorkspaceKept]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("UTF-16")]
    [InlineData("no-such-encoding")]
    public async Task Files_that_do_not_have_the_encoding_that_an_attribute_names_are_saved_as_they_lie(string encoding)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"printf 'b\\303\\n' >b.txt; echo other >c\ngit add --all; git commit --quiet -m Before\necho '*.txt working-tree-encoding={encoding}' >.gitattributes\nprintf 'a\\nb' >n.txt\nexit 3", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        var rescue = await RescuedAsync(origin, "refs/fleet/rescue/task-a/1");
        Assert.Equal("a\nb", await origin.GitAsync("show", $"{rescue}:n.txt"));
        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");
    }

    private string Kept() => System.Text.RegularExpressions.Regex.Match(Sidecar.Program.Text, @"WorkspaceKept\] ([^:]+):").Groups[1].Value;

    [Fact(Timeout = 120_000)]
    public async Task A_control_socket_that_was_removed_is_made_again()
    {
        var agent = $"{Scripts.WaitForGo}\necho a > a; git add a; git commit --quiet -m A\nfleet-sidecar task complete";
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync(agent, """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Scripts.StartedAsync(Scene);
        var sockets = Directory.GetFiles(Scene.Path, "*.sock", SearchOption.AllDirectories);
        Assert.Equal(2, sockets.Length);
        foreach (var socket in sockets)
        {
            File.Delete(socket);
        }

        await Sidecar.Program.WaitForLinesAsync("ControlSocketMadeAgain]", 2);
        Assert.Contains("working", await Sidecar.CliAsync("status"), StringComparison.Ordinal);
        Scripts.Go(Scene);
        await Hub.WaitForAsync("task_complete");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkfifo")]
    [InlineData("touch")]
    [InlineData("mkdir")]
    [InlineData("ln -s /dev/null")]
    public async Task What_was_put_in_the_place_of_the_control_socket_is_set_aside(string plant)
    {
        var socket = Scene["iris-state/control.sock"];
        await StartAsync("fleet-sidecar task complete", $$"""{ "control": { "socket": "{{socket}}" } }""");
        await TestProgram.MustAsync("/bin/sh", "-c", $"rm '{socket}' && {plant} '{socket}'");

        await Sidecar.Program.WaitForLineAsync("ControlSocketMadeAgain]");

        Assert.Contains("iris", await Sidecar.CliAsync("status"), StringComparison.Ordinal);
        Assert.Single(Directory.GetFileSystemEntries(Sidecar.State, "control.sock.replaced-*"));
    }

    [Fact(Timeout = 120_000)]
    public async Task In_a_place_that_the_operator_named_it_stays_and_is_told_until_it_is_gone()
    {
        await StartAsync("fleet-sidecar task complete");
        var socket = Scene["iris.sock"];
        await TestProgram.MustAsync("/bin/sh", "-c", $"rm '{socket}' && echo theirs > '{socket}'");
        await Sidecar.Program.WaitForLineAsync($"{socket} exists and is no socket");
        Assert.Equal("theirs\n", await File.ReadAllTextAsync(socket));

        File.Delete(socket);

        await Sidecar.Program.WaitForLineAsync("ControlSocketMadeAgain]");
        Assert.Contains("iris", await Sidecar.CliAsync("status"), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "a file that is open was taken away")]
    [InlineData("rm logs/sidecar.log")]
    [InlineData("mv logs/sidecar.log logs/old")]
    [InlineData("rm -r logs")]
    [InlineData("rm logs/sidecar.log; touch logs/sidecar.log")]
    [InlineData("rm logs/sidecar.log; mkfifo logs/sidecar.log")]
    [InlineData("rm -r logs; touch logs")]
    public async Task A_log_file_that_is_taken_away_is_made_again_while_the_daemon_runs(string harm)
    {
        await StartAsync("exit 0");
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{Sidecar.State}'; {harm}");

        await Wait.ForAsync(async () =>
        {
            await Sidecar.CliAsync("pause", "--reason", "a line of log");
            await Sidecar.CliAsync("resume");
            return new FileInfo(Path.Combine(Sidecar.State, "logs", "sidecar.log")) is { Exists: true, LinkTarget: null } file && (File.GetAttributes(file.FullName) & FileAttributes.Device) == 0 && file.Length > 0 ? file : null;
        }, "lines in the file");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkfifo logs/sidecar.log")]
    [InlineData("truncate -s 6M logs/sidecar.log")]
    [InlineData("truncate -s 6M logs/sidecar_2147483647.log")]
    [InlineData("truncate -s 6M logs/sidecar_999999.log")]
    [InlineData("mkdir -p logs/sidecar_001.log/full")]
    [InlineData("mkfifo state.db")]
    [InlineData("mkfifo state.db-wal")]
    [InlineData("mkfifo state.db-shm")]
    [InlineData("mkfifo state.db-journal")]
    [InlineData("mkfifo lock")]
    [InlineData("mkfifo identity")]
    [InlineData("mkdir -p lock/full")]
    [InlineData("mkdir -p state.db/full")]
    [InlineData("mkdir -p state.db-wal/full")]
    [InlineData("mkdir -p .state.db.open/full")]
    [InlineData("ln -s /dev/zero state.db-wal")]
    [InlineData("truncate -s 3G state.db-wal")]
    public async Task What_stands_in_the_place_of_a_file_of_the_daemons_own_holds_up_no_start(string harm)
    {
        await StartAsync("fleet-sidecar task complete");
        Sidecar.Program.Kill();
        var place = harm.Split(' ')[^1].Replace("/full", "", StringComparison.Ordinal);
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{Sidecar.State}' && rm -rf {place} && {harm}");

        await Sidecar.StartAsync();

        await Sidecar.WaitForAvailableAsync();
        Assert.Contains("Starting]", File.ReadAllText(Path.Combine(Sidecar.State, "logs", "sidecar.log")), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkfifo", ".gitconfig")]
    [InlineData("mkdir", ".gitconfig")]
    [InlineData("mkfifo", ".config/git/config")]
    [InlineData("mkfifo", ".config/git/ignore")]
    [InlineData("mkfifo", ".config/git/attributes")]
    [InlineData("mkfifo", ".netrc")]
    [InlineData("mkfifo", ".ssh/config")]
    public async Task A_pipe_in_the_place_of_the_users_own_git_files_holds_no_git(string plant, string file)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Directory.CreateDirectory(Scene["home/.config/git"]);
        Directory.CreateDirectory(Scene["home/.ssh"]);
        await StartAsync("echo x > \"$FLEET_TASK_ID\"; GIT_CONFIG_GLOBAL=/dev/null git -c core.excludesFile=/dev/null -c core.attributesFile=/dev/null add --all; GIT_CONFIG_GLOBAL=/dev/null git -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null commit --quiet -m New; fleet-sidecar task complete",
            environment: new Dictionary<string, string?> { ["HOME"] = Scene["home"] });
        await TestProgram.MustAsync(plant, Scene[$"home/{file}"]);

        await CompleteAsync(origin, "task-a", 1);

        Assert.Contains("is nothing that git could read", await Sidecar.CliAsync("doctor"), StringComparison.Ordinal);
    }

    // The last six are what a power cut leaves of files that were never flushed. Moved and not removed: a fetch of the daemon's may be writing in there.
    [Theory(Timeout = 120_000)]
    [InlineData("mv control.git gone.git && mkfifo control.git")]
    [InlineData(": >control.git/HEAD")]
    [InlineData("head -c 23 /dev/zero >control.git/HEAD")]
    [InlineData(": >control.git/config")]
    [InlineData("head -c 60 /dev/zero >control.git/config")]
    [InlineData("mv control.git/refs gone.refs")]
    [InlineData("mv control.git/objects gone.objects")]
    public async Task A_git_directory_of_ours_that_became_something_else_is_made_again(string damage)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo x > \"$FLEET_TASK_ID\"; git add --all; git commit --quiet -m New; fleet-sidecar task complete");
        await CompleteAsync(origin, "task-a", 1);
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{Sidecar.State}' && {damage}");

        await CompleteAsync(origin, "task-b", 1);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_mark_that_became_a_pipe_holds_nobody()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo loose > f\n[ $FLEET_TASK_ID = task-b ] || { rm ../fleet-workspace.json; mkfifo ../fleet-workspace.json; }\nexit 3");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await AssignAsync(origin.Path, "task-b");

        await RescuedAsync(origin, "refs/fleet/rescue/task-b/1");
        await RescuedAsync(origin, "refs/fleet/rescue/task-a/1"); // The store knows whose work it is.
    }

    [Fact(Timeout = 120_000)]
    public async Task Work_is_delivered_whatever_lies_beside_it_and_a_clone_that_is_no_longer_clean_to_look_at_is_not_clean()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo a > a; git add a; git commit --quiet -m A; mkfifo .gitattributes\nfleet-sidecar task complete");
        await AssignAsync(origin.Path);

        var done = await Hub.WaitForAsync("task_complete");
        await Hub.SendAsync($$"""{"type":"task_assign","task_id":"task-b","generation":1,"description":"d","repo":"{{origin.Path}}","verification_steps":[{"type":"git_clean"}]}""");
        await Wait.UntilAsync(() => Hub.Of("task_failed").Any(), "the second task to fail");

        Assert.Equal(done.GetProperty("result").GetProperty("commit").GetString(), await origin.HeadAsync("iris/task-a"));
        Assert.Contains("'./.gitattributes' is nothing that git could read", Hub.Of("task_failed").Single().GetRawText().Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_clone_that_borrows_nothing_any_more_or_keeps_its_objects_otherwise_is_looked_at_as_before()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            echo a > a; git add a; git commit --quiet -m A
            if [ $FLEET_TASK_ID = task-a ]; then git repack -a -d --quiet; rm .git/objects/info/alternates; git fsck; else git gc --quiet; fi
            echo loose > f
            fleet-sidecar task complete
            """);

        foreach (var task in new[] { "task-a", "task-b" })
        {
            Assert.Equal(await CompleteAsync(origin, task, 1), await origin.HeadAsync($"iris/{task}"));
            Assert.Equal("loose", (await origin.GitAsync("show", $"{await RescuedAsync(origin, $"refs/fleet/rescue/{task}/1")}:f")).Trim());
        }
    }
}
