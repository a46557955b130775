using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>No end of a run loses what its agent made, and nothing is removed that the origin does not hold.</summary>
public sealed class RescueTests : WorkspaceTests
{
    private const string Ref = "refs/fleet/rescue/task-a/1";
    private const string Everything = """
        echo committed > a; git add a; git commit --quiet -m Committed
        echo stashed > b; git add b; git stash --quiet
        echo thrown > c; git add c; git commit --quiet -m Thrown; git reset --quiet --hard HEAD~
        git branch side; git checkout --quiet side; echo side > d; git add d; git commit --quiet -m Side; git checkout --quiet -
        echo staged > e; git add e; echo loose > f; echo more >> README.md; rm -f a
        git update-index --assume-unchanged README.md
        """;

    [Theory(Timeout = 120_000)]
    [InlineData("fleet-sidecar task complete", "task_complete")]
    [InlineData("fleet-sidecar task fail --reason no", "task_failed")]
    [InlineData("exit 7", "task_failed")]
    [InlineData("kill -9 $$", "task_failed")]
    [InlineData("fleet-sidecar task handoff --reason other", "task_handoff")]
    [InlineData("kill -9 -- -$(ps -o pgid= $$ | tr -d ' ')", "task_failed")]
    public async Task L27_whatever_was_not_pushed_is_saved_at_every_end(string end, string message)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Everything}\n{end}");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync(message);

        await RescuedWholeAsync(origin);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("""{"type":"task_cancelled","task_id":"task-a","reason":"no more"}""")]
    [InlineData("""{"type":"task_reassign","task_id":"task-a"}""")]
    public async Task L27_what_a_run_left_that_was_taken_away_is_saved(string frame)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Everything}\nfleet-sidecar task start\n: > \"$FLEET_TEST_DIR/ready\"\nsleep 300");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("wake_result");
        await Wait.UntilAsync(() => File.Exists(Scene["ready"]), "the agent to have done its work");

        await Hub.SendAsync(frame);

        await RescuedWholeAsync(origin);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_drain_that_comes_to_its_deadline_saves_the_work_before_anything_else_happens_to_it()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Everything}\nfleet-sidecar task start\n: > \"$FLEET_TEST_DIR/ready\"\nsleep 300");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("wake_result");
        await Wait.UntilAsync(() => File.Exists(Scene["ready"]), "the agent to have done its work");

        await Sidecar.CliAsync("drain", "--deadline", "00:00:01");

        await RescuedWholeAsync(origin);
    }

    [Fact(Timeout = 120_000)]
    public async Task L26_a_stash_is_the_runs_own_and_no_other_run_sees_it()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            git stash list > "$FLEET_TEST_DIR/stash-$FLEET_TASK_ID"
            echo x > x; git add x; git stash --quiet
            echo y > y; git add y; git commit --quiet -m Y
            fleet-sidecar task complete
            """);
        foreach (var task in new[] { "task-a", "task-b" })
        {
            await AssignAsync(origin.Path, task);
            await Wait.UntilAsync(() => Hub.Of("task_complete").Any(end => end.GetProperty("task_id").GetString() == task), $"{task} to be complete");
            Assert.Empty(await File.ReadAllTextAsync(Scene[$"stash-{task}"]));
            await Wait.ForAsync(() => RefAsync(origin, $"refs/fleet/rescue/{task}/1"), "the stash on the origin");
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task With_nothing_left_behind_nothing_is_pushed_and_the_workspace_goes_when_its_time_is_over()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo a > a; git add a; git commit --quiet -m A\nfleet-sidecar task complete", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_complete");

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");

        Assert.Empty(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")));
        Assert.Null(await RefAsync(origin, Ref));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_workspace_stays_as_long_as_the_origin_does_not_hold_its_work_and_goes_when_it_does()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var daemon = new GitDaemon(Scene);
        await StartAsync($"{Everything}\nfleet-sidecar task start\n{Scripts.WaitForGo}\nexit 3", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(daemon.AddressOf(origin));
        await Hub.WaitForAsync("wake_result");
        daemon.Stop();
        Scripts.Go(Scene);
        await Sidecar.Program.WaitForLineAsync("RescueFailed]");
        Sidecar.Program.Kill();
        await Sidecar.StartAsync();
        await Sidecar.Program.WaitForLineAsync("RescueFailed]");
        var listed = JsonDocument.Parse(await Sidecar.CliAsync("workspaces", "--json")).RootElement.EnumerateArray().Single();
        Assert.Equal(("waiting", "task-a"), (listed.GetProperty("state").GetString(), listed.GetProperty("task_id").GetString()));

        daemon.Start();

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");
        await RescuedWholeAsync(origin);
    }

    // It accepts every connection and never says a word, for ever; each look at it takes until gitTimeout.
    [Fact(Timeout = 300_000)]
    public async Task An_origin_that_says_nothing_takes_the_time_of_one_workspace_and_not_of_all_that_came_from_it()
    {
        var (origin, other) = (await GitOrigin.CreateAsync(Scene), await GitOrigin.CreateAsync(Scene, "other"));
        using var daemon = new GitDaemon(Scene);
        await StartAsync($"echo loose > f\nfleet-sidecar task start\n{Scripts.WaitForGo}\nexit 3", """{ "agent": { "maxConcurrentRuns": 8 }, "workspace": { "gitTimeout": "00:00:05" } }""");
        string[] silent = ["task-a", "task-b", "task-c", "task-d", "task-e", "task-f"];
        foreach (var task in silent)
        {
            await AssignAsync(daemon.AddressOf(origin), task);
        }

        await AssignAsync(other.Path, "task-z");
        await Hub.WaitForAsync("wake_result", silent.Length + 1);
        daemon.Silence();
        Scripts.Go(Scene);

        await RescuedAsync(other, "refs/fleet/rescue/task-z/1");
        await Wait.UntilAsync(() => Directory.GetFiles(Path.Combine(Sidecar.State, "workspaces"), "fleet-workspace.json", SearchOption.AllDirectories).Count(mark => File.ReadAllText(mark).Contains("\"commit\"", StringComparison.Ordinal)) == silent.Length + 1, "the work of all to be saved here at least");
        Assert.InRange(Sidecar.Program.Lines.Count(line => line.Contains("RescueFailed]", StringComparison.Ordinal)), 1, silent.Length);
        daemon.Stop();
        daemon.Start();

        foreach (var task in silent)
        {
            await Wait.ForAsync(() => RefAsync(origin, $"refs/fleet/rescue/{task}/1"), $"the work of {task} on the origin", TimeSpan.FromMinutes(3));
        }
    }

    // Each is at an address of its own, and each question takes until gitTimeout, which is five minutes.
    [Fact(Timeout = 300_000), Trait("kind", "one that waits makes all others wait")]
    public async Task Origins_that_say_nothing_are_asked_shortly_while_others_wait()
    {
        var (origin, other) = (await GitOrigin.CreateAsync(Scene), await GitOrigin.CreateAsync(Scene, "other"));
        using var first = new GitDaemon(Scene);
        using var second = new GitDaemon(Scene);
        await StartAsync($"echo loose > f\nfleet-sidecar task start\n{Scripts.WaitForGo}\nexit 3", """{ "agent": { "maxConcurrentRuns": 3 }, "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(first.AddressOf(origin), "task-a");
        await AssignAsync(second.AddressOf(origin), "task-b");
        await Hub.WaitForAsync("wake_result", 2);
        first.Silence();
        second.Silence();
        Scripts.Go(Scene);
        await Hub.WaitForAsync("task_failed", 2);
        await AssignAsync(other.Path, "task-z");

        await Wait.ForAsync(() => RefAsync(other, "refs/fleet/rescue/task-z/1"), "the work of task-z on its origin", TimeSpan.FromMinutes(3));
    }

    [Fact(Timeout = 180_000)]
    public async Task More_lines_of_work_than_a_commit_has_parents_are_saved_all()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("git commit --quiet --allow-empty -m A; for i in $(seq 450); do git commit --quiet --allow-empty --amend -m \"Amended $i\"; done\nexit 3", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");

        Assert.Equal(450, (await origin.GitAsync("log", "--format=%s", Ref)).Split('\n').Count(subject => subject.StartsWith("Amended ", StringComparison.Ordinal)));
    }

    [Fact(Timeout = 120_000)]
    public async Task L27_a_lost_store_does_not_lose_the_work_of_its_runs()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Everything}\nfleet-sidecar task start\n: > \"$FLEET_TEST_DIR/ready\"\nsleep 300");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("wake_result");
        await Wait.UntilAsync(() => File.Exists(Scene["ready"]), "the agent to have done its work");
        Sidecar.Program.Kill();
        foreach (var file in Directory.GetFiles(Sidecar.State, "state.db*"))
        {
            File.WriteAllText(file, "not a database");
        }

        await Sidecar.StartAsync();

        await RescuedWholeAsync(origin);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("git init --quiet nested; cd nested; echo x > x; git add x; git commit --quiet -m X; cd ..", "a repository of its own")]
    [InlineData("git worktree add --quiet \"$FLEET_TEST_DIR/tree\" -b tree", "work trees of its own")]
    [InlineData("echo x > ../notes", "lies beside the clone")]
    [InlineData("git worktree add --quiet --detach ../wt", "lies beside the clone")]
    [InlineData("mkdir -p a/.git; echo x > a/.git/notes", "a repository of its own")]
    [InlineData("echo ign > .gitignore; git init --quiet ign; cd ign; echo x > x; git add x; git commit --quiet -m X; cd ..", "a repository of its own")]
    [InlineData("mkdir -p .git/modules/sm; echo x > .git/modules/sm/HEAD", "repositories of submodules")]
    [InlineData("python3 -c 'import os;[(os.mkdir(\"d\"*16),os.chdir(\"d\"*16)) for i in range(300)];open(\"bottom\",\"w\").write(\"x\")'", "not every file could be saved")]
    [InlineData("git config --unset core.worktree || :; mkdir empty; git init --quiet empty", "not every file could be saved")]
    public async Task What_cannot_be_saved_whole_keeps_its_workspace_and_what_has_no_mark_of_ours_is_not_touched(string also, string why)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{also}; echo y > y; git add y; git commit --quiet -m Y\nfleet-sidecar task complete", """{ "workspace": { "keepFor": "00:00:00" } }""");
        Scene.Write("iris-state/workspaces/somebody/file", "x");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_complete");

        await Sidecar.Program.WaitForLineAsync("WorkspaceKept]");

        Assert.Contains(why, Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.True(File.Exists(Scene["iris-state/workspaces/somebody/file"]));
        Assert.DoesNotContain("WorkspaceRemoved]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("echo word > s; git add s; rm s")]
    [InlineData("echo word > s; git add s; echo other > s")]
    [InlineData("mkdir -p .git/info; echo s > .git/info/exclude; echo word > s; git add --force s")]
    [InlineData("echo s > .gitignore; echo word > s; git add --force s; rm s")]
    [InlineData("echo word > s; git add s; git stash --quiet; git stash drop --quiet")]
    [InlineData("echo word > s; git add s; git commit --quiet -m S; git reset --quiet --hard HEAD~; git reflog expire --expire=now --all; rm -rf .git/logs")]
    [InlineData("git worktree add --quiet --detach \"$FLEET_TEST_DIR/wt\"; ( cd \"$FLEET_TEST_DIR/wt\"; echo word > s; git add s; git commit --quiet -m S ); git worktree remove --force \"$FLEET_TEST_DIR/wt\"")]
    [InlineData("echo base > s; git add s; git commit --quiet -m B; git checkout --quiet -b t; echo word > s; git commit --quiet -am T; git checkout --quiet -; git merge --quiet --squash t; git reset --quiet --hard; git branch --quiet -D t")]
    public async Task L27_what_nothing_names_any_more_is_saved_too(string also)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{also}\nexit 3", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_failed");

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");

        Assert.Contains("word", await origin.GitAsync("log", "--patch", "--diff-merges=separate", "--format=", "--all", "--", "s"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_workspace_goes_whatever_its_files_are_called_and_not_while_somebody_works_there()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            mkdir "$(printf 'b\377')" locked; echo x > "$(printf 'b\377/\377')"; echo x > locked/x; git add --all; git commit --quiet -m Odd; chmod 500 locked
            ( cd "$PWD"; exec env -i setsid -f /bin/bash -c 'while [ ! -e "$0" ]; do sleep 0.05; done' "$FLEET_TEST_DIR/go" )
            fleet-sidecar task complete
            """, """{ "workspace": { "keepFor": "00:00:00" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_complete");
        await Sidecar.Program.WaitForLineAsync("still works there");
        Assert.DoesNotContain("WorkspaceRemoved]", Sidecar.Program.Text, StringComparison.Ordinal);

        Scripts.Go(Scene);

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Sidecar.State, "workspaces")));
    }

    [Fact(Timeout = 120_000)]
    public async Task L29_a_disk_near_its_floor_is_cleared_of_proved_workspaces_at_once()
    {
        var state = Scene["iris-state"];
        using var disk = await SmallDisk.TryMountAsync(state, 64);
        Assert.SkipUnless(disk is not null, "needs the right to mount a tmpfs");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("head -c 40000000 /dev/zero > big; echo big > .gitignore; git add .gitignore; git commit --quiet -m A\nfleet-sidecar task complete",
            """{ "selfTest": { "diskFloorBytes": 31457280, "interval": "00:00:01" } }""");
        await AssignAsync(origin.Path);
        await Hub.WaitForAsync("task_complete");

        await Sidecar.Program.WaitForLineAsync("WorkspaceRemoved]");

        await Sidecar.WaitForAvailableAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task L29_with_less_than_two_gigabytes_free_no_work_is_taken_unless_told_otherwise()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 1900);
        Assert.SkipUnless(disk is not null, "needs the right to mount a tmpfs");
        await StartProgramAsync(Scripts.Worker(Scene), available: false);
        await Hub.WaitForBeatAsync(beat => beat.TryGetProperty("self_test", out _), "what the self-test found");

        await AssignAsync("/nowhere.git");

        Assert.Contains("the floor is 2048 MiB", (await Hub.WaitForAsync("task_rejected")).GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_kill_in_the_middle_of_a_rescue_changes_nothing_about_it()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var point = new CrashPoint(Scene, "rescued");
        await StartAsync($"{Everything}\nexit 3", crashPoint: point);
        await AssignAsync(origin.Path);
        await point.ReachedAsync();
        var first = await RefAsync(origin, Ref);

        Sidecar.Program.Kill();
        await Sidecar.StartAsync();

        await Wait.UntilAsync(() => Mark().TryGetProperty("rescue", out var note) && note.GetProperty("pushed").GetBoolean(), "the mark");
        Assert.Equal(first, await RefAsync(origin, Ref));
        await RescuedWholeAsync(origin);
    }

    private JsonElement Mark()
    {
        using var mark = JsonDocument.Parse(File.ReadAllText(Path.Combine(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")).Single(), "fleet-workspace.json")));
        return mark.RootElement.Clone();
    }

    // Every line of work that the agent's script made is somewhere below the rescue ref, and its files are as they lay there.
    private static async Task RescuedWholeAsync(GitOrigin origin)
    {
        var saved = await Wait.ForAsync(() => RefAsync(origin, Ref), $"{Ref} on the origin");
        var history = await origin.GitAsync("log", "--format=%s", saved);
        foreach (var subject in new[] { "Committed", "Thrown", "Side" })
        {
            Assert.Contains(subject, history.Split('\n'));
        }

        Assert.Contains("WIP on", history, StringComparison.Ordinal);
        Assert.Equal("README.md,e,f", (await origin.GitAsync("ls-tree", "--name-only", saved)).Trim().Replace('\n', ','));
        Assert.Equal("# Origin\nmore", (await origin.GitAsync("show", $"{saved}:README.md")).Trim());
    }
}
