namespace FleetSidecar.EndToEnd;

/// <summary>What the service manager hears: ready, alive while every loop comes by, and silence when one hangs. The hub has no part in it.</summary>
public sealed class WatchdogTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly NotifySocket _manager;

    public WatchdogTests() => _manager = new NotifySocket(_directory["notify"]);

    public void Dispose()
    {
        _manager.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task The_service_manager_hears_ready_then_is_fed_three_times_a_period_then_hears_the_end()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        await sidecar.StartAsync(environment: _manager.Environment(TimeSpan.FromSeconds(1.5)));

        await _manager.WaitForAsync("READY=1");
        var (since, fed) = (TimeProvider.System.GetTimestamp(), _manager.Fed);
        await Wait.UntilAsync(() => _manager.Fed >= fed + 8, "the watchdog to be fed");
        var took = TimeProvider.System.GetElapsedTime(since);
        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());

        await _manager.WaitForAsync("STOPPING=1");
        Assert.InRange(took, TimeSpan.FromSeconds(3.4), TimeSpan.FromSeconds(8)); // Seven pauses of half a second, and a busy machine.
    }

    [Fact(Timeout = 120_000)]
    public async Task A_watchdog_that_is_meant_for_another_process_is_not_fed()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        var environment = _manager.Environment(TimeSpan.FromMilliseconds(300));
        environment["WATCHDOG_PID"] = "1";
        await sidecar.StartAsync(environment: environment);

        await _manager.WaitForAsync("READY=1");
        await Wait.WhileAsync(() => _manager.Fed == 0, "nobody is fed", TimeSpan.FromSeconds(1));
    }

    [Fact(Timeout = 120_000)]
    public async Task L24_a_hub_that_is_away_for_many_watchdog_periods_restarts_nobody()
    {
        var period = TimeSpan.FromSeconds(1);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory));
        await sidecar.StartAsync(environment: _manager.Environment(period));
        var task = await hub.AddAsync("Work through the outage");
        await hub.WaitForAsync(task, "working");
        await Scripts.StartedAsync(_directory);
        var (pid, agent) = (sidecar.Program.Pid, Scripts.Executions(_directory)[0].Split(' ')[0]);

        hub.Kill();
        await sidecar.Program.WaitForLineAsync("LinkDown]");
        var fed = _manager.Fed;
        await Wait.UntilAsync(() => _manager.Fed >= fed + 30, "ten periods of feeding");

        Assert.True(_manager.LongestGap() < period, $"the watchdog was not fed for {_manager.LongestGap()}");
        Assert.True(sidecar.Program.IsRunning && LiveProcess.Exists(agent));
        await hub.StartAsync();
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Equal(pid, (await sidecar.StatusAsync()).GetProperty("pid").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_loop_that_hangs_is_named_and_the_service_manager_is_no_longer_told_that_we_live()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        var environment = _manager.Environment(TimeSpan.FromMilliseconds(300));
        environment["FLEET_CRASH_PULSE"] = "00:00:03";
        var crash = new CrashPoint(_directory, "persisted");
        await sidecar.StartAsync(environment: environment, crashPoint: crash);
        await Wait.UntilAsync(() => _manager.Fed >= 45, "the watchdog to be fed for longer than any loop's word while nothing hangs");

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await crash.ReachedAsync();
        await sidecar.Program.WaitForLineAsync("LoopOverdue] RunLoop did not come by");
        var fed = _manager.Fed;
        await Wait.WhileAsync(() => _manager.Fed <= fed + 1, "no feeding while the loop hangs", TimeSpan.FromSeconds(2));
        await hub.WaitForAsync("heartbeat", hub.Of("heartbeat").Count() + 1); // The other loops go on, which must not hide it.

        crash.Release();
        Scripts.Go(_directory);
        await Wait.UntilAsync(() => _manager.Fed > fed + 5, "the feeding to go on when the loop does");
        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_reload_that_hangs_is_named_and_the_service_manager_is_no_longer_told_that_we_live()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        var environment = _manager.Environment(TimeSpan.FromMilliseconds(300));
        environment["FLEET_CRASH_PULSE"] = "00:00:03";
        var crash = new CrashPoint(_directory, "config_read");
        await sidecar.StartAsync(environment: environment, crashPoint: crash);
        await Wait.UntilAsync(() => _manager.Fed >= 45, "the watchdog to be fed for longer than any loop's word while no reload is asked for");

        await sidecar.Program.SignalAsync("HUP");
        await crash.ReachedAsync();
        await sidecar.Program.WaitForLineAsync("LoopOverdue] ReloadLoop did not come by");
        var fed = _manager.Fed;
        await Wait.WhileAsync(() => _manager.Fed <= fed + 1, "no feeding while the loop hangs", TimeSpan.FromSeconds(2));

        crash.Release();
        await Wait.UntilAsync(() => _manager.Fed > fed + 5, "the feeding to go on when the loop does");
        await sidecar.Program.WaitForLineAsync("ConfigReloaded]");
    }

    [Theory(Timeout = 120_000)]
    [InlineData("no_such_point", null, "'no_such_point' is no crash point")]
    [InlineData("101", null, "'101' is no crash point")]
    [InlineData(null, "soon", "FLEET_CRASH_PULSE 'soon' is no time")]
    public async Task A_crash_point_or_pulse_that_does_not_exist_is_refused(string? point, string? pulse, string words)
    {
        using var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", Scripts.Worker(_directory));
        var environment = new Dictionary<string, string?> { ["FLEET_CRASH_POINT"] = point, ["FLEET_CRASH_DIR"] = _directory.Path, ["FLEET_CRASH_PULSE"] = pulse };

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--crash-points", "--config", sidecar.ConfigFile], environment);

        Assert.Equal(64, code);
        Assert.Contains(words, text, StringComparison.Ordinal);
    }
}
