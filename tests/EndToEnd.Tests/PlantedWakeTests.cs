namespace FleetSidecar.EndToEnd;

/// <summary>An agent of the daemon's own user prepares the directories of the next wake. The built programs: the run ends, and the next task runs.</summary>
[Trait("kind", "what an agent put in the place of a file of ours")]
public sealed class PlantedWakeTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("rm -f task.json; mkfifo task.json")]
    [InlineData("rm -f task.json; mkdir -p task.json/x")]
    [InlineData("mkdir wake-2; mkfifo wake-2/recorder")]
    [InlineData("mkdir wake-2; mkfifo wake-2/stdout")]
    [InlineData("mkdir wake-2; mkfifo wake-2/stderr")]
    [InlineData("mkdir wake-2; mkfifo wake-2/exit wake-2/exit.room")]
    [InlineData("mkdir -p wake-2/recorder/x")]
    [InlineData("mkdir -p wake-2/stdout/x wake-2/stderr/x")]
    [InlineData("mkdir wake-2; echo \"$$ 0\" >wake-2/recorder; echo 0 >wake-2/exit")]
    [InlineData("mkdir wake-2; ln -s \"$FLEET_TEST_DIR/victim\" wake-2/stdout; ln -s \"$FLEET_TEST_DIR/victim\" wake-2/stderr; ln -s \"$FLEET_TEST_DIR/victim\" wake-2/recorder")]
    [InlineData("echo x >wake-2")]
    [InlineData("mkfifo wake-2")]
    [InlineData("mkdir elsewhere; ln -s elsewhere wake-2")]
    [InlineData("mkdir wake-2; chmod 0 wake-2")]
    [InlineData("mkdir -p stale-2-task-a.json/x; echo x >\"$FLEET_RESULTS_DIR/task-a.started\"; mkdir -p stale-2-task-a.started/x")]
    public async Task The_run_ends_by_its_second_wake_and_the_next_task_runs(string plant)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        _directory.Write("victim", "of the daemon");
        var agent = Scripts.Agent(_directory, $"[ \"$FLEET_TASK_ID\" = task-a ] || exec fleet-sidecar task complete\n[ \"$(wc -l <\"$FLEET_TEST_DIR/executions\")\" = 1 ] || exec fleet-sidecar task complete --output second\ncd \"$FLEET_RUN_DIR\"; {plant}; echo '401 unauthorized' >&2; exit 1");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""
            { "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}"] }, { "name": "second", "command": ["{{agent}}"] } ] } }
            """).StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""");
        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "the end");
        Assert.True(hub.Of("task_complete").Any(), hub.Of("task_failed").FirstOrDefault().ToString());
        Assert.Equal("second", hub.Of("task_complete").First().GetProperty("result").GetProperty("output").GetString());
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-b","generation":1,"description":"x"}""");
        await Wait.UntilAsync(() => hub.Of("task_complete").Any(end => end.GetProperty("task_id").GetString() == "task-b"), "the next task");

        Assert.Equal("of the daemon", File.ReadAllText(_directory["victim"]));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("rm -f recorder; mkfifo recorder")]
    [InlineData("echo '{\"status\":\"success\",\"output\":\"planted\"}' >../result.json")]
    [InlineData("ln -s /etc/passwd ../result.json")]
    [InlineData("rm -f ../task.json; mkfifo ../task.json; mkfifo exit exit.room")]
    [InlineData("rm -f ../task.json recorder; mkdir -p ../task.json/x recorder/x exit/x exit.room/x")]
    [InlineData("rm -f recorder stdout stderr; ln -s \"$FLEET_TEST_DIR/victim\" recorder; ln -s \"$FLEET_TEST_DIR/victim\" exit; ln -s \"$FLEET_TEST_DIR/victim\" stdout; mkfifo stderr")]
    [InlineData("cd ..; rm -rf wake-1; echo x >wake-1")]
    [InlineData("cd ..; rm -rf wake-1; mkfifo wake-1")]
    [InlineData("cd ../..; rm -rf \"$OTHER\"; mkfifo \"$OTHER\"")]
    public async Task What_is_done_to_the_place_that_waits_for_the_next_run_holds_no_run(string plant)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        _directory.Write("victim", "of the daemon");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, "exec fleet-sidecar task complete --output 'its own'")).StartAsync();
        var runs = Path.Combine(sidecar.State, "runs");
        string[] Waiting() => Directory.Exists(runs) ? Directory.GetFiles(runs, "stderr", SearchOption.AllDirectories) : [];
        await Wait.UntilAsync(() => Waiting().Length == 1, "the place of the first run");

        await TestProgram.MustAsync("/bin/bash", "-c", $"set -eu; cd '{Path.GetDirectoryName(Waiting()[0])}'; FLEET_TEST_DIR='{_directory.Path}'; OTHER=$(dirname \"$PWD\"); {plant}");
        foreach (var task in new[] { "task-a", "task-b" })
        {
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":1,"description":"x"}""");
            await Wait.UntilAsync(() => hub.Of("task_complete").Concat(hub.Of("task_failed")).Any(end => end.GetProperty("task_id").GetString() == task), $"the end of {task}");
        }

        Assert.Equal("of the daemon", File.ReadAllText(_directory["victim"]));
        Assert.All(hub.Of("task_complete"), end => Assert.Equal("its own", end.GetProperty("result").GetProperty("output").GetString()));
        Assert.Equal(["task-a", "task-b"], hub.Of("task_complete").Select(end => end.GetProperty("task_id").GetString()));
    }
}
