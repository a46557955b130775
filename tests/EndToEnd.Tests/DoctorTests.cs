using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary><c>doctor</c>: the daemon's own self-test, the same checks where there is no daemon, and what it mends.</summary>
public sealed class DoctorTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task With_a_daemon_every_check_is_its_own_and_a_healthy_machine_passes()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();

        var (code, report) = await DoctorAsync(sidecar);

        Assert.Equal(0, code);
        Assert.True(report.GetProperty("passed").GetBoolean());
        Assert.Equal(["hub", "store", "wake", "git", "disk", "token", "runs"], Checks(report).Keys);
        Assert.Equal("ok", Checks(report)["hub"]);
        Assert.Contains("ok", await sidecar.CliAsync("doctor"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Without_a_daemon_the_same_checks_run_from_here_and_its_absence_is_the_failure()
    {
        using var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", Scripts.Worker(_directory));
        Directory.CreateDirectory(sidecar.State);

        var (code, report) = await DoctorAsync(sidecar);
        var checks = Checks(report);

        Assert.Equal(1, code);
        Assert.Equal(["daemon", "store", "wake", "git", "disk", "token"], checks.Keys);
        Assert.Equal("daemon", Assert.Single(checks, check => check.Value == "failed").Key);
        Assert.All(report.GetProperty("checks").EnumerateArray().Where(check => check.GetProperty("status").GetString() is "failed" or "warning"),
            check => Assert.NotEmpty(check.GetProperty("hint").GetString()!));
        Assert.Empty(Directory.GetFiles(sidecar.State)); // It looked and left nothing.
    }

    [Theory(Timeout = 120_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fix_closes_a_token_file_that_others_can_read(bool withDaemon)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        File.SetUnixFileMode(sidecar.TokenFile, Open);
        if (withDaemon)
        {
            await sidecar.StartAsync();
        }

        Assert.Equal("warning", Checks((await DoctorAsync(sidecar)).Report)["token"]);
        Assert.Equal(Open, File.GetUnixFileMode(sidecar.TokenFile)); // Looking changes nothing.
        var (_, mended) = await DoctorAsync(sidecar, "--fix");

        Assert.Equal("ok", Checks(mended)["token"]);
        Assert.Contains(mended.GetProperty("fixed").EnumerateArray(), line => line.GetString()!.StartsWith(sidecar.TokenFile, StringComparison.Ordinal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(sidecar.TokenFile));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_doctor_that_finds_the_fault_gone_makes_the_machine_available_at_once()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Worker(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await sidecar.WaitForAvailableAsync();
        File.Move(agent, agent + ".away");

        var (code, report) = await DoctorAsync(sidecar);
        Assert.Equal((1, "failed"), (code, Checks(report)["wake"]));
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean(), "unavailable");
        File.Move(agent + ".away", agent);
        Assert.Equal(0, (await DoctorAsync(sidecar)).Code);

        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available", TimeSpan.FromSeconds(10)); // The loop would look again in half a minute.
    }

    [Fact(Timeout = 120_000)]
    public async Task A_run_that_has_stood_past_its_deadline_is_named_by_doctor()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var crash = new CrashPoint(_directory, "confirmed");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "deadlines": { "wallClock": "00:00:01" } }""")
            .StartAsync(environment: new Dictionary<string, string?> { ["FLEET_CRASH_PULSE"] = "00:00:01" }, crashPoint: crash);
        Assert.Equal("ok", Checks((await DoctorAsync(sidecar)).Report)["runs"]);

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await crash.ReachedAsync(); // The loop that would act on the deadline stands still.
        await Wait.ForAsync(async () => Checks((await DoctorAsync(sidecar)).Report)["runs"] == "failed" ? new object() : null, "the check to fail");
        var (code, report) = await DoctorAsync(sidecar);

        Assert.Equal(1, code);
        var check = report.GetProperty("checks").EnumerateArray().Single(one => one.GetProperty("name").GetString() == "runs");
        Assert.Matches("^run_[0-9a-f]+ of task-1 is working since [0-9-]+ [0-9:]+Z, past its deadline wall_clock of 00:00:01$", check.GetProperty("detail").GetString());
        Assert.NotEmpty(check.GetProperty("hint").GetString()!);
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean(), "unavailable: the only slot is held");
    }

    [Fact(Timeout = 120_000), Trait("kind", "what was measured once is taken for what is")]
    public async Task A_clock_that_is_put_right_while_the_link_is_up_opens_the_door_again_and_a_wrong_one_closes_it()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.ClockAhead = TimeSpan.FromDays(365);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "selfTest": { "interval": "00:00:01" } }""").StartAsync();
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean() && beat.GetRawText().Contains("clock", StringComparison.Ordinal), "closed for its clock");

        hub.ClockAhead = TimeSpan.Zero;
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "open");
        hub.ClockAhead = TimeSpan.FromDays(-365);
        await Wait.UntilAsync(() => !hub.Of("heartbeat").Last().GetProperty("available").GetBoolean(), "closed again");

        Assert.Equal(1, hub.Identified); // Measured on the link that there was.
    }

    private static async Task<(int Code, JsonElement Report)> DoctorAsync(TestSidecar sidecar, params string[] more)
    {
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["doctor", "--json", .. more, "--config", sidecar.ConfigFile]);
        return (code, JsonDocument.Parse(text).RootElement);
    }

    private static Dictionary<string, string> Checks(JsonElement report) => report.GetProperty("checks").EnumerateArray()
        .ToDictionary(check => check.GetProperty("name").GetString()!, check => check.GetProperty("status").GetString()!);
}
