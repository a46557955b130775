using System.Globalization;

namespace FleetSidecar.EndToEnd;

/// <summary>A wire that drips, loses one end or breaks in mid-frame, frames that come twice or in the wrong order, and clocks that disagree.</summary>
public sealed class NetworkFaultTests : IDisposable
{
    private const string Assign = """{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_wire_that_delivers_byte_by_byte_changes_nothing()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var proxy = new TcpProxy(hub.Port);
        proxy.Drip();
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            """{ "hub": { "pongTimeout": "00:00:30" } }""").StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync(await hub.AddAsync("Drop by drop " + new string('x', 4096)), "completed", TimeSpan.FromSeconds(60));

        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, proxy.Connections);
        Assert.Equal(0, (await sidecar.StatusAsync()).GetProperty("refused_frames").GetInt32());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_connection_whose_other_end_is_gone_without_a_word_is_given_up_and_made_anew()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var proxy = new TcpProxy(hub.Port);
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Half open");
        await hub.WaitForAsync(task, "working");

        proxy.LoseHubEnd();
        await hub.Program.WaitForLineAsync("AgentDown]");
        Scripts.Go(_directory);
        await sidecar.Program.WaitForLineAsync("no pong within");
        proxy.Heal();

        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal("up", (await sidecar.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("task_assign")]
    [InlineData("task_ack")]
    public async Task A_reset_in_the_middle_of_a_frame_costs_neither_the_task_nor_its_result(string frame)
    {
        using var hub = await TestHub.StartAsync(_directory, "--accept-deadline", "00:00:02", "--retry-delay", "00:00:00");
        using var proxy = new TcpProxy(hub.Port);
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        await sidecar.WaitForAvailableAsync();

        proxy.CutInside(frame);
        var task = await hub.AddAsync("Cut in two", maxRetries: 3);
        Scripts.Go(_directory);

        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2);
        await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        await sidecar.WaitForRunAsync("settled");
        Assert.Equal(1, proxy.Cuts);
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, await hub.CountAsync(task, "completed"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Assignments_that_come_again_and_acknowledgements_out_of_order_start_nothing_twice_and_lose_nothing()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_complete" ? "" : null;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();

        await hub.SendAsync(Ack("message-of-nobody", "complete"));
        await hub.SendAsync(Assign);
        await hub.SendAsync(Assign);
        var accepted = await hub.WaitForAsync("task_accepted"); // One answer for what came in one breath.
        await hub.SendAsync(Assign);
        await hub.WaitForAsync("task_accepted", 2);
        Scripts.Go(_directory);
        var complete = await hub.WaitForAsync("task_complete");
        await hub.SendAsync(Assign); // It is done, and the hub has not said that it knows.
        await hub.SendAsync(Ack(complete.GetProperty("message_id").GetString()!, "complete"));
        await hub.SendAsync(Ack(accepted.GetProperty("message_id").GetString()!, "accepted"));
        await hub.SendAsync(Ack(complete.GetProperty("message_id").GetString()!, "complete"));
        await sidecar.WaitForRunAsync("settled");
        await hub.SendAsync(Assign);

        // A hub that asks for settled work has forgotten the outcome, so it hears it again under the same id.
        var again = await hub.WaitForAsync("task_complete", 2);
        Assert.Equal(complete.GetProperty("message_id").GetString(), again.GetProperty("message_id").GetString());
        await hub.SendAsync(Ack(again.GetProperty("message_id").GetString()!, "complete"));
        await sidecar.WaitForStatusAsync(status => status.GetProperty("outbox_messages").GetInt32() == 0, "nothing left to say");
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, hub.Identified);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_older_attempt_that_arrives_after_a_newer_one_is_turned_down()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();

        await hub.SendAsync(Assign.Replace("\"generation\":1", "\"generation\":2", StringComparison.Ordinal));
        await hub.SendAsync(Assign);
        await hub.SendAsync("""{"type":"task_cancelled","task_id":"task-1","generation":1}""");
        Assert.Equal("stale_generation", (await hub.WaitForAsync("task_rejected")).GetProperty("reason").GetString());
        Scripts.Go(_directory);

        Assert.Equal(2, (await hub.WaitForAsync("task_complete")).GetProperty("generation").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(1008, "cooldown active: retry in 2s", 2)]
    [InlineData(1012, "service restart", 0)]
    [InlineData(1013, "try again later: retry in 2s", 2)]
    public async Task A_hub_that_closes_with_a_code_is_dialled_again_when_it_said_and_the_task_goes_on(int code, string reason, int least)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign);
        await Scripts.StartedAsync(_directory);

        await hub.CloseAsync(code, reason);
        await sidecar.Program.WaitForLineAsync($"closed by the hub: {code.ToString(CultureInfo.InvariantCulture)} {reason}");
        var since = TimeProvider.System.GetTimestamp();
        Scripts.Go(_directory);
        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2);

        Assert.True(TimeProvider.System.GetElapsedTime(since) > TimeSpan.FromSeconds(least * 0.9), "the pause that the hub asked for was not kept");
        await hub.WaitForAsync("task_complete");
        await sidecar.WaitForRunAsync("settled");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_whose_clock_is_far_off_is_found_by_doctor_sends_no_work_and_is_trusted_again_when_it_agrees()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var off = TimeSpan.FromHours(-2);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "identify"
            ? $$"""{"type":"identified","agent_id":"iris","protocol_version":2,"timestamp":{{(TimeProvider.System.GetUtcNow() + off).ToUnixTimeMilliseconds()}}}""" : null;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "selfTest": { "interval": "00:00:01" } }""").StartAsync();

        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean() && beat.ToString().Contains("ahead of the hub", StringComparison.Ordinal), "that the clocks disagree");
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["doctor", "--config", sidecar.ConfigFile]);
        Assert.Equal(1, code);
        Assert.Contains("time service", text, StringComparison.Ordinal);

        off = TimeSpan.Zero;
        hub.Drop();
        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2);

        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available again");
        Scripts.Go(_directory);
        await hub.SendAsync(Assign);
        await hub.WaitForAsync("task_complete");
    }

    [Theory(Timeout = 120_000)]
    [InlineData(-10, true)]
    [InlineData(+10, false)]
    public async Task After_a_clock_jump_a_deadline_is_never_negative_and_never_longer_than_its_limit(int daysSince, bool isOver)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "deadlines": { "wallClock": "00:00:05" } }""").StartAsync();
        await hub.SendAsync(Assign);
        await sidecar.WaitForRunAsync("working");
        sidecar.Program.Kill();
        var since = TimeProvider.System.GetUtcNow().AddDays(daysSince).ToUnixTimeMilliseconds();
        await TestProgram.MustAsync("/usr/bin/env", "sqlite3", Path.Combine(sidecar.State, "state.db"), $"UPDATE runs SET state_since_unix_ms = {since.ToString(CultureInfo.InvariantCulture)}");

        var restarted = TimeProvider.System.GetTimestamp();
        await sidecar.StartAsync();

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal("wall_clock", failed.GetProperty("deadline").GetString());
        Assert.Equal(isOver, TimeProvider.System.GetElapsedTime(restarted) < TimeSpan.FromSeconds(4.5));
        Assert.Single(Scripts.Executions(_directory));
    }

    private static string Ack(string messageId, string status) => $$"""{"type":"task_ack","task_id":"task-1","status":"{{status}}","message_id":"{{messageId}}"}""";
}
