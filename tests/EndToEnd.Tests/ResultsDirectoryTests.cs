namespace FleetSidecar.EndToEnd;

/// <summary>Agents are given the directory where results are left, and one of them may take it away. The built programs; no agent's result is lost by what another one did to it.</summary>
[Trait("kind", "a place of the daemon's that is gone while it lives")]
public sealed class ResultsDirectoryTests : IDisposable
{
    private const string AsNobody = "mount --bind \"$1\" /etc/subuid && mount --bind \"$2\" /etc/subgid && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" run --config \"$3\"";

    // A result as a file, by an agent without a command line.
    private const string ByFile = "echo >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.started\"; echo '{\"status\":\"success\",\"output\":\"by file\"}' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"";

    private readonly TempDir _directory = new();

    public void Dispose()
    {
        TestProgram.RunAsync("/bin/rm", ["-rf", "--", _directory.Path]).GetAwaiter().GetResult(); // Also what is of other users.
        _directory.Dispose();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("rm -rf \"$R\"")]
    [InlineData("rm -rf \"$R\"; echo x >\"$R\"")]
    [InlineData("rm -rf \"$R\"; mkfifo \"$R\"")]
    [InlineData("rm -rf \"$R\"; ln -s /nonexistent \"$R\"")]
    [InlineData("mv \"$R\" \"$R.old\"")]
    public async Task The_next_agents_results_are_told(string harm)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"R=$FLEET_RESULTS_DIR\n[ \"$FLEET_TASK_ID\" = task-a ] || {{ {ByFile}; exit; }}\n{harm}\nfleet-sidecar task complete");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await EndAsync(hub, "task-a");

        await EndAsync(hub, "task-b");
        await EndAsync(hub, "task-c");

        Assert.All(hub.Of("task_complete").Skip(1), end => Assert.Equal("by file", end.GetProperty("result").GetProperty("output").GetString()));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkdir -p \"$F/inside\"; chmod 500 \"$F\"", "is a directory, not a file")]
    [InlineData("echo '{\"status\":\"success\"}' >elsewhere; ln -s \"$PWD/elsewhere\" \"$F\"", "is a link, not a file")]
    [InlineData("mkfifo \"$F\"", "is a pipe or a device, not a file")]
    public async Task What_stands_in_the_place_of_a_result_is_named_and_the_next_attempt_is_heard(string harm, string words)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"F=\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"\n[ ! -e \"$FLEET_TEST_DIR/again\" ] || {{ {ByFile}; exit; }}\n{harm}\nexit 0");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""");
        var failed = await hub.WaitForAsync("task_failed");
        _directory.Write("again", "");

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":2,"description":"x"}""");
        var done = await hub.WaitForAsync("task_complete");

        Assert.Contains(words, failed.GetRawText(), StringComparison.Ordinal);
        Assert.Equal("by file", done.GetProperty("result").GetProperty("output").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task What_an_agent_says_while_no_sidecar_runs_is_kept_though_another_one_tidied_up()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, """
            fleet-sidecar task start
            while [ ! -e "$FLEET_TEST_DIR/down" ]; do sleep 0.1; done
            rm -rf "$FLEET_RESULTS_DIR"; fleet-sidecar task complete --output "said alone"; touch "$FLEET_TEST_DIR/said"
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""");
        await hub.WaitForAsync("wake_result");
        sidecar.Program.Kill();
        _directory.Write("down", "");
        await Wait.UntilAsync(() => File.Exists(_directory["said"]), "the agent's word");

        await sidecar.StartAsync();

        Assert.Equal("said alone", (await hub.WaitForAsync("task_complete")).GetProperty("result").GetProperty("output").GetString());
    }

    [Fact(Timeout = 180_000)]
    public async Task One_that_was_given_to_a_container_is_made_anew_and_what_a_container_left_of_a_run_goes_with_it()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/newuidmap"), "needs root, to become a user with a range of numbers, and newuidmap (apt-get install uidmap)");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $$"""
            [ "$FLEET_TASK_ID" = task-a ] || { {{ByFile}}; exit; }
            cd "$FLEET_RUN_DIR" && unshare --user --map-auto --map-root-user sh -c 'mkdir left; echo x >left/file; chown -R 1000:1000 left; chmod 700 left; chown 1000:1000 "$FLEET_RESULTS_DIR"; chmod 700 "$FLEET_RESULTS_DIR"' && touch "$FLEET_TEST_DIR/left"
            fleet-sidecar task complete
            """);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "retention": { "interval": "00:00:01", "minRuns": 0, "maxRuns": 0 } }""");
        var (users, groups) = (_directory.Write("subuid", "nobody:300000:65536\n"), _directory.Write("subgid", "nobody:300000:65536\n"));
        await TestProgram.MustAsync("/bin/chown", "-R", "65534:65534", _directory.Path);
        using var daemon = TestProgram.Start("/usr/bin/unshare", ["--mount", "/bin/sh", "-c", AsNobody, TestProgram.Sidecar, users, groups, sidecar.ConfigFile], directory: _directory.Path);
        await daemon.WaitForLineAsync("LinkUp]");
        await EndAsync(hub, "task-a");
        Assert.True(File.Exists(_directory["left"]), daemon.Text);

        await EndAsync(hub, "task-b");

        Assert.Equal("by file", hub.Of("task_complete").Last().GetProperty("result").GetProperty("output").GetString());
        var runs = Path.Combine(sidecar.State, "runs");
        await Wait.UntilAsync(() => !Directory.GetDirectories(runs, "run_*").Any(run => Directory.Exists(Path.Combine(run, "left"))) && !Directory.Exists(Path.Combine(runs, ".removing")), "the directories of the runs to go", TimeSpan.FromMinutes(1));
        await daemon.SignalAsync("TERM");
        await daemon.EndAsync();
    }

    private static async Task EndAsync(ScriptedHub hub, string task)
    {
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":1,"description":"x"}""");
        await Wait.UntilAsync(() => hub.Of("task_complete").Concat(hub.Of("task_failed")).Any(end => end.GetProperty("task_id").GetString() == task), $"{task} to end");
        Assert.Contains(hub.Of("task_complete"), end => end.GetProperty("task_id").GetString() == task);
    }
}
