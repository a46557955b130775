using System.Text.Json;

namespace FleetSidecar.Lab;

/// <summary>The daemon under a real service manager: killed, hung, misconfigured, starved, and without its hub.</summary>
public sealed class DaemonUnitTests : IAsyncLifetime
{
    private const string Unit = "fleet-sidecar";
    private Fleet _fleet = null!;

    private Machine Machine => _fleet.Machine;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task A_killed_daemon_is_back_at_the_hub_within_ten_seconds_and_its_agent_never_notices()
    {
        _fleet.AgentDoes(Fleet.Worker);
        var task = await _fleet.SubmitAsync();
        var agent = Fleet.PidOf(Assert.Single(await _fleet.RunningAsync()));
        var daemon = await Machine.NumberAsync(Unit, "MainPID");

        await Machine.RunAsync("kill", "-9", $"{daemon}");
        await Wait.UntilAsync(() => Machine.NumberAsync(Unit, "MainPID").GetAwaiter().GetResult() is not 0 and var now && now != daemon, "another daemon", TimeSpan.FromSeconds(10));
        await Machine.UntilAsync("fleet-sidecar status --json | grep -q '\"state\": \"up\"'", "the link to be up again", TimeSpan.FromSeconds(10));

        Assert.Equal(agent, Fleet.PidOf(Assert.Single(await _fleet.RunningAsync())));
        _fleet.Go();
        Assert.Contains($"done by {agent}", (await _fleet.WaitForAsync(task, "completed")).ToString());
        Assert.Single(_fleet.Executions);
    }

    [Fact]
    public async Task A_daemon_that_hangs_is_killed_by_the_watchdog_and_started_again()
    {
        Machine.Write($"/etc/systemd/system/{Unit}.service.d/watchdog.conf", "[Service]\nWatchdogSec=3\n");
        await Machine.ShellAsync($"systemctl daemon-reload; systemctl restart {Unit}");
        await _fleet.UpAsync();
        var daemon = await Machine.NumberAsync(Unit, "MainPID");

        await Machine.RunAsync("kill", "-STOP", $"{daemon}");
        await Machine.UntilAsync($"[ \"$(systemctl show -P MainPID {Unit})\" != {daemon} ] && [ \"$(systemctl is-active {Unit})\" = active ]", "another daemon", TimeSpan.FromSeconds(20));
        Assert.Contains("Watchdog timeout", await _fleet.JournalAsync("-u", Unit));
        await _fleet.UpAsync();
    }

    [Fact]
    public async Task L23_a_wrong_configuration_ends_with_78_and_is_not_started_again_and_the_journal_names_the_key()
    {
        Machine.Write(Fleet.Config, """{ "agent": { "id": "iris" }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFil": "x" } }""");
        await Machine.TryAsync("systemctl", "restart", Unit);
        await Machine.UntilAsync($"[ \"$(systemctl is-failed {Unit})\" = failed ]", "the unit to be failed");
        Assert.Equal("78", await Machine.PropertyAsync(Unit, "ExecMainStatus"));
        var before = await Machine.PropertyAsync(Unit, "NRestarts");
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, TestContext.Current.CancellationToken); // Longer than RestartSec: nothing may happen.
        Assert.Equal(before, await Machine.PropertyAsync(Unit, "NRestarts"));
        Assert.Contains("'hub.tokenFil'", await _fleet.JournalAsync("-u", Unit));
        Assert.Contains("tokenFile", await _fleet.JournalAsync("-u", Unit));
    }

    [Fact]
    public async Task L23_a_daemon_that_crashes_again_and_again_is_never_left_dead_and_takes_no_work_until_it_lasts()
    {
        // Less than the longest pause between starts: waiting is no hanging.
        Machine.Write($"/etc/systemd/system/{Unit}.service.d/watchdog.conf", "[Service]\nWatchdogSec=3\n");
        await Machine.RunAsync("systemctl", "daemon-reload");
        for (var crash = 1; crash <= 7; crash++)
        {
            var daemon = await Machine.NumberAsync(Unit, "MainPID");
            await Machine.RunAsync("kill", "-9", $"{daemon}");
            await Machine.UntilAsync($"p=$(systemctl show -P MainPID {Unit}); [ \"$p\" != 0 ] && [ \"$p\" != {daemon} ] && [ \"$(systemctl is-active {Unit})\" = active ]", $"daemon after crash {crash}", TimeSpan.FromSeconds(60));
        }

        Assert.Contains("safe mode", JsonSerializer.Serialize(await _fleet.StatusAsync()));
        Assert.Contains("crashed or were killed", await _fleet.JournalAsync("-u", Unit)); // The pauses between starts grow.
        Assert.Equal("7", await Machine.PropertyAsync(Unit, "NRestarts"));

        await Machine.RunAsync("fleet-sidecar", "resume");
        await _fleet.UpAsync();
    }

    [Fact]
    public async Task Wrong_usage_ends_with_64_and_is_not_started_again()
    {
        Machine.Write($"/etc/systemd/system/{Unit}.service.d/usage.conf", "[Service]\nExecStart=\nExecStart=/usr/lib/fleet-sidecar/fleet-sidecar run --nonsense\n");
        await Machine.ShellAsync($"systemctl daemon-reload; systemctl restart {Unit} || true");
        await Machine.UntilAsync($"[ \"$(systemctl is-failed {Unit})\" = failed ]", "the unit to be failed");
        Assert.Equal("64", await Machine.PropertyAsync(Unit, "ExecMainStatus"));
        Assert.Contains("--nonsense", await _fleet.JournalAsync("-u", Unit));
    }

    [Fact]
    public async Task The_heartbeat_stays_on_time_while_agents_keep_every_processor_busy()
    {
        _fleet.AgentDoes($"fleet-sidecar task start\nfor i in 1 2 3 4 5 6 7 8; do (while [ ! -e {Fleet.Shared}/go ]; do :; done) & done\nwhile [ ! -e {Fleet.Shared}/go ]; do sleep 0.2; done\nfleet-sidecar task complete --output busy");
        var task = await _fleet.SubmitAsync("\"priority\": \"normal\"");
        await _fleet.RunningAsync();
        var (longest, started) = (0L, TimeProvider.System.GetTimestamp());
        while (TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(75))
        {
            var now = long.Parse((await Machine.ShellAsync("date +%s%3N")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
            longest = Math.Max(longest, now - _fleet.Agent("iris").GetProperty("last_seen").GetInt64());
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        // One every 30 s; the hub's patience is 90 s.
        Assert.InRange(longest, 1, 36_000);
        Assert.Equal("0", await Machine.PropertyAsync(Unit, "NRestarts"));
        _fleet.Go();
        await _fleet.WaitForAsync(task, "completed");
    }

    [Fact]
    public async Task The_journal_of_a_quiet_daemon_has_a_line_for_each_event_and_none_for_nothing()
    {
        var before = (await _fleet.JournalAsync("-u", Unit)).Split('\n').Length;
        await Task.Delay(TimeSpan.FromSeconds(40), TimeProvider.System, TestContext.Current.CancellationToken); // More than one heartbeat.
        Assert.Equal(before, (await _fleet.JournalAsync("-u", Unit)).Split('\n').Length);

        await Machine.RunAsync("systemctl", "stop", "fleet-hub");
        await Machine.UntilAsync($"journalctl --no-pager -o cat -u {Unit} -p warning | grep -q LinkDown", "a warning that the link is down");
        var entry = JsonDocument.Parse((await Machine.ShellAsync($"journalctl --no-pager -o json -u {Unit} FLEET_EVENT=LinkDown | tail -n 1")).Trim()).RootElement;
        Assert.Equal("4", entry.GetProperty("PRIORITY").GetString());
        Assert.Equal("iris", entry.GetProperty("FLEET_AGENT").GetString());
        Assert.Equal(Unit, entry.GetProperty("SYSLOG_IDENTIFIER").GetString());
        Assert.DoesNotContain('\n', entry.GetProperty("MESSAGE").GetString()!);
    }

    [Fact]
    public async Task Two_sidecars_share_a_machine_each_with_its_own_agents_units()
    {
        await _fleet.EnrolAsync(agent: "noor", directory: "/etc/fleet-sidecar/instances/noor", unit: "fleet-sidecar@noor");
        _fleet.AgentDoes(Fleet.Worker);
        const string Repo = "\"repo\": \"git://127.0.0.1/app.git\"";
        var (iris, noor) = (await _fleet.SubmitAsync($"{Repo}, \"assign_to\": \"iris\""), await _fleet.SubmitAsync($"{Repo}, \"assign_to\": \"noor\""));
        await _fleet.RunningAsync();
        await Machine.UntilAsync("systemctl list-units --plain --no-legend 'fleet-agent-*@noor-run_*.service' | grep -q running && [ \"$(systemctl list-units --plain --no-legend 'fleet-agent-*@run_*.service' | grep -c running)\" = 1 ]", "a unit of each");

        // One of them starts anew and leaves the other's agents alone.
        await Machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        await _fleet.RunningAsync();
        _fleet.Go();
        await _fleet.WaitForAsync(iris, "completed");
        await _fleet.WaitForAsync(noor, "completed");
        Assert.Equal(2, _fleet.Executions.Length);
    }
}
