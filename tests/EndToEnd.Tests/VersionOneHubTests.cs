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
        await hub.SendAsync(Assign(3).Replace("aa", "bb", StringComparison.Ordinal)); // One slot: this one is refused in version 1's own words.
        Scripts.Go(_directory);

        var complete = await hub.WaitForAsync("task_complete");

        Assert.Equal(3, complete.GetProperty("generation").GetInt32());
        Assert.Equal("success", complete.GetProperty("result").GetProperty("status").GetString());
        Assert.Equal("rejected: busy", (await hub.WaitForAsync("task_failed")).GetProperty("error").GetString());
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
}
