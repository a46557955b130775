using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>L21: the dead man's switch finds and does. The built program; only systemctl is a script of the test.</summary>
public sealed class DeadmanTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly TestSidecar _sidecar;
    private readonly DeadmanTimer _timer;

    public DeadmanTests()
    {
        var hook = _directory.WriteScript("hook", $"cat >> '{_directory["alerts"]}'");
        var broken = _directory.WriteScript("broken-hook", "exit 3");
        _sidecar = TestSidecar.Create(_directory, $"ws://127.0.0.1:{FreePort.Take()}/ws", "token-token", Scripts.Worker(_directory),
            $$"""{ "alerts": { "hooks": [ { "command": ["{{broken}}"] }, { "command": ["{{hook}}"] } ] } }""");
        _timer = new DeadmanTimer(_directory, _sidecar);
        _timer.Unit("active", "success");
    }

    public void Dispose()
    {
        _sidecar.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task L21_a_dead_daemon_is_restarted_and_people_are_told_and_status_says_so_while_it_is_dead()
    {
        _timer.Unit("failed", "exit-code");
        Assert.Empty(await _timer.PassAsync()); // It may be on its way.
        _timer.Earlier(TimeSpan.FromMinutes(1));

        var said = await _timer.PassAsync();

        Assert.Contains("DeadmanActed] fleet-test.service: the daemon is dead (failed, exit-code); restarted fleet-test.service (restart 1 in a row)", said, StringComparison.Ordinal);
        Assert.Contains("broken-hook did not take deadman.dead: ended with 3", said, StringComparison.Ordinal); // And the other one was told all the same.
        Assert.Equal(["--no-ask-password reset-failed -- fleet-test.service", "--no-ask-password restart -- fleet-test.service"], _timer.Calls.TakeLast(2));
        var alert = JsonDocument.Parse(Assert.Single(File.ReadAllLines(_directory["alerts"]))).RootElement;
        Assert.Equal(("deadman.dead", "warning", "iris"), (alert.GetProperty("rule").GetString(), alert.GetProperty("severity").GetString(), alert.GetProperty("agent").GetString()));
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["status", "--config", _sidecar.ConfigFile]);
        Assert.Equal(69, code);
        Assert.Contains("deadman   restarted", text, StringComparison.Ordinal);

        Assert.Empty(await _timer.PassAsync()); // Not at once again.
        foreach (var pause in new[] { 5, 15 })
        {
            _timer.Earlier(TimeSpan.FromMinutes(pause));
            Assert.Contains("DeadmanActed]", await _timer.PassAsync(), StringComparison.Ordinal);
        }

        _timer.Earlier(TimeSpan.FromMinutes(1));
        Assert.Contains("DeadmanReported] fleet-test.service: the daemon is dead (failed, exit-code); 3 restarts did not help", await _timer.PassAsync(), StringComparison.Ordinal);
        _timer.Earlier(TimeSpan.FromMinutes(30));
        Assert.Empty(await _timer.PassAsync());
        Assert.Equal(3, _timer.Calls.Count(call => call.Contains(" restart ", StringComparison.Ordinal)));
    }

    [Fact(Timeout = 120_000)]
    public async Task L21_a_daemon_that_runs_and_answers_nobody_is_restarted_after_two_passes()
    {
        await _sidecar.StartAsync(waitForLink: false);
        await _sidecar.Program.WaitForLineAsync("LinkDown]"); // The hub being away is no reason.
        await Wait.UntilAsync(() => File.Exists(_directory["iris-state/alive"]), "the sign of life");
        Assert.Empty(await _timer.PassAsync());
        await _sidecar.Program.SignalAsync("STOP");
        Assert.Empty(await _timer.PassAsync());
        _timer.Earlier(TimeSpan.FromMinutes(1));
        Assert.Contains("DeadmanActed] fleet-test.service: the daemon runs and did not answer on its socket in 2 passes", await _timer.PassAsync(), StringComparison.Ordinal);
        await _sidecar.Program.SignalAsync("CONT");

        await Wait.ForAsync(async () => (await _timer.PassAsync()).Contains("DeadmanRecovered]", StringComparison.Ordinal) ? new object() : null, "the recovery to be told");
        Assert.Contains("deadman   restarted", await _sidecar.CliAsync("status"), StringComparison.Ordinal);
        Assert.Equal("fine", (await _sidecar.StatusAsync()).GetProperty("deadman").GetProperty("condition").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task L21_data_that_no_longer_moves_is_found_and_a_paused_machine_is_reported_and_left_alone()
    {
        await _sidecar.StartAsync(waitForLink: false);
        await _sidecar.Program.WaitForLineAsync("LinkDown]");
        await Wait.UntilAsync(() => File.Exists(_directory["iris-state/alive"]), "the sign of life");
        await _timer.PassAsync();
        foreach (var said in new[] { "", "DeadmanActed] fleet-test.service: the daemon's sign of life is 4 min old" })
        {
            File.SetLastWriteTimeUtc(_directory["iris-state/alive"], TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-4)); // Nobody touches it for ten seconds.
            var pass = await _timer.PassAsync();
            Assert.True(said.Length == 0 ? pass.Length == 0 : pass.Contains(said, StringComparison.Ordinal), pass);
            _timer.Earlier(TimeSpan.FromMinutes(1));
        }

        File.Delete(_timer.StateFile);
        File.Delete(_directory["calls"]);
        await _sidecar.CliAsync("pause", "--reason", "the disk is being moved");
        _sidecar.Program.Kill(); // The command has ended, so the switch knows.
        _timer.Unit("failed", "signal");

        Assert.Contains("DeadmanReported] fleet-test.service: the daemon is dead (failed, signal); nothing is restarted, because this machine is paused", await _timer.PassAsync(), StringComparison.Ordinal);
        _timer.Earlier(TimeSpan.FromMinutes(10));
        Assert.Empty(await _timer.PassAsync());

        await _sidecar.StartAsync(waitForLink: false);
        await _sidecar.Program.WaitForLineAsync("LinkDown]");
        await _sidecar.CliAsync("resume");
        Assert.Equal("open\n", File.ReadAllText(_directory["iris-state/alive"]));
        Assert.DoesNotContain(_timer.Calls, call => call.Contains(" restart ", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task L21_a_configuration_that_would_not_start_gives_way_to_the_last_good_one()
    {
        var good = await File.ReadAllTextAsync(_sidecar.ConfigFile);
        await _sidecar.StartAsync(waitForLink: false);
        await Wait.UntilAsync(() => File.Exists(_directory["iris-state/alive"]), "the sign of life");
        Assert.Empty(await _timer.PassAsync()); // All is well: now there is a last good one.
        _sidecar.Program.Kill();
        _timer.Unit("failed", "exit-code");
        await File.WriteAllTextAsync(_sidecar.ConfigFile, """{ "agent": { "id": "iris" }, "hbu": {} }""");
        Assert.Empty(await _timer.PassAsync("--state", _sidecar.State));
        _timer.Earlier(TimeSpan.FromMinutes(1));

        var said = await _timer.PassAsync("--state", _sidecar.State);

        Assert.Contains("unknown key 'hbu'", said, StringComparison.Ordinal);
        Assert.Equal(good, await File.ReadAllTextAsync(_sidecar.ConfigFile));
        var bad = Assert.Single(Directory.GetFiles(_directory.Path, "iris.json.bad-*"));
        Assert.Contains("hbu", await File.ReadAllTextAsync(bad), StringComparison.Ordinal);
        Assert.Contains(bad, said, StringComparison.Ordinal);
        Assert.Contains(bad, await File.ReadAllTextAsync(_directory["alerts"]), StringComparison.Ordinal); // The hooks of the good one were told.
        await _sidecar.StartAsync(waitForLink: false);
        await _sidecar.Program.WaitForLineAsync("Starting]");
    }

    [Fact(Timeout = 120_000)]
    public async Task L21_a_pause_that_ended_while_the_daemon_was_dead_keeps_nobody_from_starting_it()
    {
        await _sidecar.StartAsync(waitForLink: false);
        await Wait.UntilAsync(() => File.Exists(_directory["iris-state/alive"]), "the sign of life");
        await _sidecar.CliAsync("pause", "--for", "2h", "--reason", "the disk is being moved");
        _sidecar.Program.Kill();
        _timer.Unit("failed", "signal");
        Assert.Contains("because this machine is paused", await _timer.PassAsync(), StringComparison.Ordinal);

        var words = File.ReadAllText(_directory["iris-state/alive"]).Split(' ');
        var ended = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 1;
        Assert.InRange(long.Parse(words[1]) - ended, 7_100_000, 7_200_100);
        File.WriteAllText(_directory["iris-state/alive"], $"{words[0]} {ended}\n");
        _timer.Earlier(TimeSpan.FromMinutes(1));

        Assert.Contains("DeadmanActed] fleet-test.service: the daemon is dead (failed, signal); restarted", await _timer.PassAsync(), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("inactive", "success", "enabled", true)]
    [InlineData("failed", "exit-code", "disabled", true)]
    [InlineData("active", "success", "enabled", false)] // Waits for its setup.
    public async Task What_an_operator_stopped_or_never_enrolled_is_left_alone(string active, string result, string file, bool enrolled)
    {
        _timer.Unit(active, result, file);
        if (!enrolled)
        {
            File.Delete(_sidecar.ConfigFile);
        }

        for (var pass = 0; pass < 3; pass++)
        {
            Assert.Empty(await _timer.PassAsync("--state", _sidecar.State));
            _timer.Earlier(TimeSpan.FromHours(2));
        }

        Assert.All(_timer.Calls, call => Assert.Contains(" show ", call, StringComparison.Ordinal));
        Assert.False(File.Exists(_directory["alerts"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_address_is_told_with_its_token_and_the_token_is_in_no_log()
    {
        var port = FreePort.Take();
        using var listener = new HttpListener { Prefixes = { $"http://127.0.0.1:{port}/" } };
        listener.Start();
        var asked = listener.GetContextAsync();
        var config = JsonNode.Parse(await File.ReadAllTextAsync(_sidecar.ConfigFile))!;
        config["alerts"]!["hooks"] = JsonNode.Parse($$"""[ { "url": "http://127.0.0.1:{{port}}/hook", "tokenFile": "{{_directory.Write("alert-token", "s3cret-alert-token\n")}}" } ]""");
        await File.WriteAllTextAsync(_sidecar.ConfigFile, config.ToJsonString());
        _timer.Unit("failed", "exit-code");
        await _timer.PassAsync();
        _timer.Earlier(TimeSpan.FromMinutes(1));

        var pass = _timer.PassAsync();
        var context = await asked;
        var body = await new StreamReader(context.Request.InputStream).ReadToEndAsync();
        context.Response.StatusCode = 500;
        context.Response.Close();
        var said = await pass;

        Assert.Equal("Bearer s3cret-alert-token", context.Request.Headers["Authorization"]);
        Assert.Equal("deadman.dead", JsonDocument.Parse(body).RootElement.GetProperty("rule").GetString());
        Assert.Contains("AlertHookFailed] the alert hook 127.0.0.1 did not take deadman.dead: answered 500", said, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", said, StringComparison.Ordinal);
    }
}
