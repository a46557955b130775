namespace FleetSidecar.EndToEnd;

/// <summary>A run that is ending is never taken for the next attempt, and finished work is never done twice.</summary>
public sealed class EndingRunTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 180_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task L39_A_task_that_is_cancelled_and_retried_at_once_waits_for_the_old_agent_and_completes(bool ignoresTerm)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $$"""
            {{(ignoresTerm ? "trap '' TERM" : "")}}
            exec 9>"$FLEET_TEST_DIR/lock"
            flock --nonblock 9 || echo "$$" >> "$FLEET_TEST_DIR/overlaps"
            fleet-sidecar task start 9>&-
            {{Scripts.WaitForGo.Replace("sleep 0.05", "sleep 0.05 9>&-", StringComparison.Ordinal)}}
            fleet-sidecar task complete --output ok 9>&-
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, """{ "deadlines": { "killGrace": "00:00:03" } }""").StartAsync();
        var task = await hub.AddAsync("cancelled and retried");
        await Scripts.StartedAsync(_directory);

        await hub.Client.PostAsync($"/api/tasks/{task}/cancel", null, TestContext.Current.CancellationToken);
        await hub.Client.PostAsync($"/api/tasks/{task}/retry", null, TestContext.Current.CancellationToken);
        await Scripts.StartedAsync(_directory, 2);
        Scripts.Go(_directory);
        var done = await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));

        Assert.Equal(0, done.GetProperty("retry_count").GetInt32());
        Assert.Equal(2, Scripts.Executions(_directory).Length);
        Assert.False(File.Exists(_directory["overlaps"]));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("rm -f exit; mkfifo exit")]
    [InlineData("rm -f exit; mkdir -p exit/full")]
    [InlineData("rm -f exit; ln -s /dev/full exit")]
    [InlineData("kill -STOP $PPID")]
    public async Task A_run_ends_with_its_agent_whatever_that_did_to_the_record_of_its_end(string harm)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start; fleet-sidecar task complete --output ok; cd \"$FLEET_RUN_DIR/wake-1\"; {harm}");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        await hub.WaitForAsync("task_complete");
    }

    [Fact(Timeout = 180_000)]
    public async Task Killed_while_an_assignment_is_held_the_next_start_ends_the_old_agent_and_the_task_completes_once()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var crash = new CrashPoint(_directory, "assignment_held");

        // An agent that ends at its first signal can be gone before the hub is asked to try again, and then nothing is held.
        var agent = Scripts.Agent(_directory, $$"""
            trap '' TERM
            exec 9>"$FLEET_TEST_DIR/lock"
            flock --nonblock 9 || echo "$$" >> "$FLEET_TEST_DIR/overlaps"
            fleet-sidecar task start 9>&-
            {{Scripts.WaitForGo.Replace("sleep 0.05", "sleep 0.05 9>&-", StringComparison.Ordinal)}}
            fleet-sidecar task complete --output ok 9>&-
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, """{ "deadlines": { "killGrace": "00:00:10" } }""").StartAsync(crashPoint: crash);
        var task = await hub.AddAsync("cancelled and retried");
        await hub.WaitForAsync(task, "working");

        await hub.Client.PostAsync($"/api/tasks/{task}/cancel", null, TestContext.Current.CancellationToken);
        await hub.Client.PostAsync($"/api/tasks/{task}/retry", null, TestContext.Current.CancellationToken);
        await crash.ReachedAsync();
        sidecar.Program.Kill();
        await sidecar.StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.False(File.Exists(_directory["overlaps"]));
    }

    [Theory(Timeout = 180_000)]
    [InlineData("queued")]
    [InlineData("working")]
    public async Task L44_A_hub_that_is_restored_from_its_backup_hears_the_known_outcome_and_no_agent_is_woken(string when)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var task = await hub.AddAsync("done once", maxRetries: 3);
        if (when == "queued")
        {
            await BackUpAsync(hub);
        }

        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        await Scripts.StartedAsync(_directory);
        if (when == "working")
        {
            await hub.WaitForAsync(task, "working");
            await BackUpAsync(hub);
        }

        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");
        await sidecar.WaitForRunAsync("settled");

        hub.Kill();
        foreach (var name in new[] { "hub.db", "hub.db-wal", "hub.db-shm" })
        {
            File.Delete(Path.Combine(hub.Data, name));
        }

        File.Copy(_directory["copy.db"], Path.Combine(hub.Data, "hub.db"));
        await hub.StartAsync();
        Assert.NotEqual("completed", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        if (when == "queued")
        {
            await TestProgram.MustAsync("/bin/sh", "-c", $"'{TestProgram.Hub}' token create iris --data '{hub.Data}' > '{sidecar.TokenFile}'");
        }

        var done = await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(90));

        Assert.StartsWith("done by", done.GetProperty("result").GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Single(Scripts.Executions(_directory));
        await sidecar.WaitForStatusAsync(status => status.GetProperty("outbox_messages").GetInt32() == 0, "an empty outbox");
    }

    // As docs/operations.md says.
    private Task<string> BackUpAsync(TestHub hub) =>
        TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(hub.Data, "hub.db"), $".backup {_directory["copy.db"]}");
}
