using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>A fault of our own in any order, step or loop is an outcome of one run: it ends by name, its slot is free, and the next task runs.</summary>
public sealed class BrokenOrderTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 180_000)]
    [InlineData("prepare")]
    [InlineData("wake")]
    [InlineData("woken")]
    [InlineData("watch")]
    [InlineData("collect")]
    [InlineData("verify")]
    [InlineData("submit")]
    [InlineData("learn")]
    [InlineData("save")]
    public async Task A_step_that_throws_fails_its_run_by_name_and_the_next_task_runs(string point)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, point);
        Scripts.Go(_directory);

        var broken = await hub.AddAsync("breaks", origin.Path);
        var dead = await hub.WaitForAsync(broken, "dead_letter", TimeSpan.FromSeconds(60));

        Assert.Contains("internal_error", dead.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        await TheNextTaskRunsAsync(hub, sidecar, origin);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_wake_that_breaks_after_the_agent_was_started_finds_it_again_and_ends_it()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, "woken");

        var task = await hub.AddAsync("breaks");
        await hub.WaitForAsync(task, "dead_letter", TimeSpan.FromSeconds(60));

        Assert.Empty(LiveProcess.With($"FLEET_TASK_ID={task}"));
        Scripts.Go(_directory);
        await hub.WaitForAsync(await hub.AddAsync("next"), "completed");
    }

    [Fact(Timeout = 180_000)]
    public async Task A_stop_that_throws_is_tried_until_the_agent_is_gone()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, "stop:2");
        var task = await hub.AddAsync("is cancelled");
        await Scripts.StartedAsync(_directory);

        await hub.Client.PostAsync($"/api/tasks/{task}/cancel", null, TestContext.Current.CancellationToken);
        await sidecar.Program.WaitForLinesAsync("OrderBroke]", 2);
        await sidecar.WaitForRunAsync("settled");

        Assert.Empty(LiveProcess.With($"FLEET_TASK_ID={task}"));
        Scripts.Go(_directory);
        await hub.WaitForAsync(await hub.AddAsync("next"), "completed");
    }

    [Fact(Timeout = 180_000)]
    public async Task A_run_that_cannot_be_stored_in_any_form_goes_back_to_the_hub_and_the_loop_lives()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, "savereduced:2");
        Scripts.Go(_directory);

        var task = await hub.AddAsync("comes twice");

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Single(Scripts.Executions(_directory));
        await sidecar.Program.WaitForLineAsync("RunSetAside]");
    }

    [Fact(Timeout = 180_000)]
    public async Task Killed_right_after_a_run_was_set_aside_the_next_start_ends_it_and_goes_on()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var crash = new CrashPoint(_directory, "run_set_aside");
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.JealousWorker(_directory));
        await sidecar.StartAsync(environment: Fault("learn"), crashPoint: crash);
        Scripts.Go(_directory);
        var task = await hub.AddAsync("breaks");
        await crash.ReachedAsync();

        sidecar.Program.Kill();
        await sidecar.StartAsync();

        var dead = await hub.WaitForAsync(task, "dead_letter", TimeSpan.FromSeconds(60));
        Assert.Contains("internal_error", dead.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        await hub.WaitForAsync(await hub.AddAsync("next"), "completed");
    }

    [Fact(Timeout = 180_000)]
    public async Task A_start_that_cannot_find_out_about_a_process_starts_all_the_same_and_ends_the_run()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, point: null);
        var task = await hub.AddAsync("is at work");
        await Scripts.StartedAsync(_directory);
        sidecar.Program.Kill();

        await sidecar.StartAsync(environment: Fault("witness"), crashPoint: Unarmed());
        var dead = await hub.WaitForAsync(task, "dead_letter", TimeSpan.FromSeconds(60));

        Assert.Contains("internal_error", dead.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        Assert.Empty(LiveProcess.With($"FLEET_TASK_ID={task}"));
        Scripts.Go(_directory);
        await hub.WaitForAsync(await hub.AddAsync("next"), "completed");
    }

    [Fact(Timeout = 180_000)]
    public async Task A_frame_that_breaks_the_connection_costs_the_connection_alone()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, "receive:3");
        Scripts.Go(_directory);

        await hub.WaitForAsync(await hub.AddAsync("goes on"), "completed", TimeSpan.FromSeconds(60));

        await sidecar.Program.WaitForLineAsync("LinkBroke]");
        Assert.True(sidecar.Program.IsRunning);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_pause_before_another_wake_that_throws_fails_the_run_by_name()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            """{ "selfTest": { "interval": "01:00:00" }, "wake": { "profiles": [ { "name": "main", "mode": "signal", "command": ["/bin/false"], "retries": 3, "retryDelay": "00:00:00.2" } ] } }""");
        await sidecar.StartAsync(environment: Fault("pause"), crashPoint: Unarmed());

        var dead = await hub.WaitForAsync(await hub.AddAsync("breaks"), "dead_letter", TimeSpan.FromSeconds(60));

        Assert.Contains("Pause broke", dead.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        Assert.True(sidecar.Program.IsRunning);
    }

    [Fact(Timeout = 180_000)]
    public async Task Several_agents_that_start_at_once_each_get_a_directory_of_their_own()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory), """{ "agent": { "maxConcurrentRuns": 4 } }""");
        Scripts.Go(_directory);
        var tasks = new List<string>();
        for (var number = 0; number < 8; number++)
        {
            tasks.Add(await hub.AddAsync($"task {number}"));
        }

        await sidecar.StartAsync();

        foreach (var task in tasks)
        {
            await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        }
    }

    [Theory(Timeout = 180_000)]
    [InlineData("mkfifo \"$FLEET_RESULTS_DIR\"")]
    [InlineData("ln -s \"$FLEET_RESULTS_DIR\" \"$FLEET_RESULTS_DIR\"")]
    [InlineData(": > \"$FLEET_RESULTS_DIR\"")]
    public async Task An_agent_that_puts_something_else_in_the_place_of_the_results_directory_keeps_no_daemon_from_starting(string harm)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\n[ -e \"$FLEET_TEST_DIR/harmed\" ] || {{ rm -rf \"$FLEET_RESULTS_DIR\"; {harm}; : > \"$FLEET_TEST_DIR/harmed\"; }}\nfleet-sidecar task complete --output ok");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();
        await hub.WaitForAsync(await hub.AddAsync("harms"), "completed");

        sidecar.Program.Kill();
        await sidecar.StartAsync();

        await hub.WaitForAsync(await hub.AddAsync("next"), "completed");
    }

    private async Task<TestSidecar> StartAsync(TestHub hub, string? point)
    {
        var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.JealousWorker(_directory));
        await sidecar.StartAsync(environment: point is null ? null : Fault(point), crashPoint: point is null ? null : Unarmed());
        await sidecar.WaitForAvailableAsync();
        return sidecar;
    }

    private async Task TheNextTaskRunsAsync(TestHub hub, TestSidecar sidecar, GitOrigin origin)
    {
        await hub.WaitForAsync(await hub.AddAsync("next", origin.Path), "completed", TimeSpan.FromSeconds(60));
        Assert.True(sidecar.Program.IsRunning);
        Assert.False(File.Exists(_directory["overlaps"]));
        Assert.Equal(0, (await sidecar.RunsAsync()).EnumerateArray().Count(IsOpen));
    }

    private static bool IsOpen(JsonElement run) => run.GetProperty("state").GetString() is not ("settled" or "completed" or "failed");

    // Arms fault points without any crash point.
    private CrashPoint Unarmed() => new(_directory, "");

    private static Dictionary<string, string?> Fault(string point) => new() { ["FLEET_FAULT_POINT"] = point };
}
