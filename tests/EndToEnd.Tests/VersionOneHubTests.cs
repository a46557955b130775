namespace FleetSidecar.EndToEnd;

/// <summary>Against a hub that speaks only version 1, as strict as AgentCom's: no violation, and nothing of the main job missing.</summary>
public sealed class VersionOneHubTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    private static string Assign(int generation) => $$"""{"type":"task_assign","task_id":"task-00000000000000aa","generation":{{generation}},"description":"x","metadata":{},"assigned_at":1}""";

    [Fact(Timeout = 120_000)]
    public async Task The_main_job_works_without_a_single_violation()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(3));
        await hub.WaitForAsync("task_accepted");
        Scripts.Go(_directory);

        var complete = await hub.WaitForAsync("task_complete");

        Assert.Equal(3, complete.GetProperty("generation").GetInt32());
        Assert.Equal("success", complete.GetProperty("result").GetProperty("status").GetString());
        await hub.WaitForAsync("ping", 2);
        Assert.Empty(hub.Of("heartbeat"));
        Assert.Equal(0, hub.Violations);
        await sidecar.WaitForRunAsync("settled");
    }

    [Fact(Timeout = 120_000)]
    public async Task After_a_reconnect_the_task_is_accepted_again_reported_and_a_higher_generation_is_adopted()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await hub.WaitForAsync("task_accepted");
        await Scripts.StartedAsync(_directory);

        hub.Drop();
        await sidecar.Program.WaitForLinesAsync("LinkUp]", 2);
        await hub.WaitForAsync("task_accepted", 2);
        var report = await hub.WaitForAsync("state_report");
        await hub.SendAsync(Assign(2)); // AgentCom pushes the same task anew after a drop.
        await hub.WaitForAsync("task_accepted", 3);
        Scripts.Go(_directory);

        Assert.Equal(1, report.GetProperty("generation").GetInt32());
        Assert.Equal(2, (await hub.WaitForAsync("task_complete")).GetProperty("generation").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(0, hub.Violations);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_completion_that_the_hub_calls_stale_is_settled_and_the_sidecar_takes_the_next_task()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_complete" ? """{"type":"error","error":"task_complete_failed: stale_generation"}""" : null;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("settled");

        hub.Answer = null;
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 2);
        Assert.Equal(2, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_message_refused_for_its_rate_is_sent_again_after_the_pause()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        var limited = 0;
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_complete" && limited++ == 0 ? """{"type":"rate_limited","retry_after_ms":300,"tier":"normal"}""" : null;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));

        await hub.WaitForAsync("task_complete", 2);
        await sidecar.WaitForRunAsync("settled");
        Assert.Equal(1, hub.Identified);
    }

    [Theory(Timeout = 120_000)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task L48_An_abort_for_the_old_generation_does_not_end_the_run_that_has_adopted_the_new_one(bool abortFirst, bool restarted)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await hub.WaitForAsync("task_accepted");
        await Scripts.StartedAsync(_directory);

        // As AgentCom after a drop: the task goes out again, and the report of the old generation is answered with abort.
        hub.Answer = frame => frame.GetProperty("type").GetString() == "state_report"
            ? $$"""{"type":"state_report_ack","task_id":"task-00000000000000aa","action":"{{(frame.GetProperty("generation").GetInt32() == 3 ? "continue" : "abort")}}"}"""
            : null;
        if (restarted)
        {
            sidecar.Program.Kill();
            await sidecar.StartAsync();
        }
        else
        {
            hub.Drop();
        }

        if (abortFirst)
        {
            await hub.WaitForAsync("state_report");
            await hub.SendAsync(Assign(3));
        }
        else
        {
            await Wait.UntilAsync(() => hub.Identified == 2, "the second connection");
            await hub.SendAsync(Assign(3));
        }

        await Wait.UntilAsync(() => hub.Of("task_accepted").Any(frame => frame.GetProperty("generation").GetInt32() == 3), "the new generation to be accepted");
        await Wait.UntilAsync(() => hub.Of("state_report").Any(frame => frame.GetProperty("generation").GetInt32() == 3), "the report to be made again");
        Scripts.Go(_directory);

        Assert.Equal(3, (await hub.WaitForAsync("task_complete")).GetProperty("generation").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(0, hub.Violations);
        await sidecar.WaitForRunAsync("settled");
    }

    [Fact(Timeout = 120_000)]
    public async Task An_abort_for_the_generation_that_is_current_ends_the_agent()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync(Assign(1));
        await Scripts.StartedAsync(_directory);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "state_report"
            ? """{"type":"state_report_ack","task_id":"task-00000000000000aa","action":"abort"}""" : null;

        hub.Drop();

        await sidecar.WaitForRunAsync("settled");
        Assert.Empty(LiveProcess.With("FLEET_TASK_ID=task-00000000000000aa"));
        Assert.Empty(hub.Of("task_complete"));
    }

    [Fact(Timeout = 120_000)]
    public async Task L49_A_burst_of_assignments_is_worked_off_one_by_one_and_none_is_called_failed()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await sidecar.WaitForAvailableAsync();
        Scripts.Go(_directory);

        for (var number = 1; number <= 20; number++)
        {
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""");
        }

        await hub.WaitForAsync("task_complete", 20, TimeSpan.FromSeconds(90));
        Assert.Empty(hub.Of("task_failed"));
        Assert.Equal(20, Scripts.Executions(_directory).Distinct().Count());
        Assert.Equal(20, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_assignment_that_finds_no_slot_before_the_accept_deadline_is_accepted_and_then_refused_in_version_ones_words()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "deadlines": { "accept": "00:00:03" } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();
        await hub.SendAsync(Assign(3));
        await Scripts.StartedAsync(_directory);

        await hub.SendAsync(Assign(5).Replace("aa", "bb", StringComparison.Ordinal));

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal("rejected: busy", failed.GetProperty("error").GetString());
        Assert.Equal(5, failed.GetProperty("generation").GetInt32());
        Assert.Contains(hub.Of("task_accepted"), frame => frame.GetProperty("task_id").GetString() == "task-00000000000000bb"); // AgentCom believes a failure only after that.
        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_paused_machine_says_nothing_to_a_version_one_assignment_until_the_hub_takes_it_back()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "deadlines": { "accept": "00:00:03" } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();
        Scripts.Go(_directory);
        await sidecar.CliAsync("pause", "--reason", "maintenance");

        await hub.SendAsync(Assign(1));
        await sidecar.Program.WaitForLineAsync("AssignmentDropped]"); // AgentCom takes it back by itself after its accept deadline.
        Assert.Empty(hub.Of("task_failed"));
        Assert.Empty(hub.Of("task_accepted"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_machine_that_is_resumed_before_the_accept_deadline_begins_the_assignment_that_waits()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await sidecar.WaitForAvailableAsync();
        Scripts.Go(_directory);
        await sidecar.CliAsync("pause", "--reason", "maintenance");
        await hub.SendAsync(Assign(2));
        await sidecar.Program.WaitForLineAsync("AssignmentHeld]");

        await sidecar.CliAsync("resume");

        Assert.Equal(2, (await hub.WaitForAsync("task_complete")).GetProperty("generation").GetInt32());
        Assert.Empty(hub.Of("task_failed"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_message_that_the_hub_never_answers_does_not_hold_back_those_of_other_runs()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        hub.Answer = frame => frame.GetProperty("type").GetString() == "task_accepted" && frame.GetProperty("task_id").GetString() == "task-00000000000000aa" ? "" : null;
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "agent": { "maxConcurrentRuns": 2 } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();
        Scripts.Go(_directory);

        await hub.SendAsync(Assign(1));
        await hub.SendAsync(Assign(1).Replace("aa", "bb", StringComparison.Ordinal));

        await hub.WaitForAsync("task_complete", 2, TimeSpan.FromSeconds(100)); // An answer is waited for for 30 s.
        await sidecar.WaitForStatusAsync(status => status.GetProperty("outbox_messages").GetInt32() == 0, "nothing left to say");
        Assert.Equal(1, hub.Identified);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("ends well", "task_complete")]
    [InlineData("ends badly", "task_failed")]
    public async Task A_run_that_ended_while_the_hub_was_away_is_accepted_again_before_its_outcome_is_said(string end, string outcome)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 1);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\n{Scripts.WaitForGo}\n{(end == "ends well" ? "fleet-sidecar task complete --output ok" : "exit 3")}");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await hub.SendAsync(Assign(1));
        await Scripts.StartedAsync(_directory);
        hub.UpgradeStatus = 503;
        hub.Drop();
        Scripts.Go(_directory);
        await sidecar.WaitForRunAsync(outcome == "task_complete" ? "completed" : "failed");
        var before = hub.Frames.Count;

        hub.UpgradeStatus = 101;
        await hub.WaitForAsync(outcome);

        var said = hub.Frames.Skip(before).Select(frame => frame.GetProperty("type").GetString()).Where(type => type is "task_accepted" or "task_complete" or "task_failed" or "state_report");
        Assert.Equal(["task_accepted", outcome], said);
        await sidecar.WaitForRunAsync("settled");
        Assert.Equal(0, hub.Violations);
    }
}
