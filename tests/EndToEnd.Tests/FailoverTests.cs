namespace FleetSidecar.EndToEnd;

/// <summary>A provider that fails: the next profile is used and everybody is told, a breaker opens for all runs and holds over restarts.</summary>
public sealed class FailoverTests : IDisposable
{
    private const string DeadAuth = "FAKE_STATUS:401:END"; // The stand-in's provider refuses the credential.
    private readonly TempDir _directory = new();
    private readonly StandIn _agents;

    public FailoverTests() => _agents = new StandIn(_directory);

    public void Dispose()
    {
        _agents.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_dead_credential_moves_the_task_to_the_next_profile_and_after_three_times_it_is_not_even_tried()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Spare(), Profiles(Main, SpareProfile)).StartAsync();

        for (var task = 1; task <= 3; task++)
        {
            Assert.Equal("main: auth", Assert.Single((await RunAsync(hub, task)).GetProperty("profiles_tried").EnumerateArray()).GetString());
        }

        await sidecar.Program.WaitForLineAsync("FailedOver]");
        var breaker = Assert.Single((await sidecar.StatusAsync()).GetProperty("breakers").EnumerateArray());
        Assert.Equal(("main", 3, "auth"), (breaker.GetProperty("profile").GetString(), breaker.GetProperty("failures").GetInt32(), breaker.GetProperty("last_code").GetString()));
        sidecar.Program.Kill();
        await sidecar.StartAsync();

        var result = await RunAsync(hub, 4);
        Assert.Equal("spare", result.GetProperty("profile").GetString());
        Assert.False(result.TryGetProperty("profiles_tried", out _));
        Assert.Equal(4, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task With_the_only_provider_dead_the_task_fails_by_its_class_and_soon_no_work_is_taken()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Spare(), Profiles(Main)).StartAsync();

        for (var task = 1; task <= 3; task++)
        {
            await AssignAsync(hub, task);
            var failed = await hub.WaitForAsync("task_failed", task);
            Assert.Equal("auth", failed.GetProperty("code").GetString());
            await hub.SendAsync($$"""{"type":"task_ack","task_id":"task-{{task}}","status":"retried","message_id":"{{failed.GetProperty("message_id").GetString()}}"}""");
        }

        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean(), "unavailable");
        await AssignAsync(hub, 4);
        var rejected = await hub.WaitForAsync("task_rejected");
        Assert.Equal("unavailable", rejected.GetProperty("reason").GetString());
        Assert.Contains("main (auth)", rejected.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_failure_of_the_task_itself_stays_with_its_profile()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var failing = $$"""{ "name": "main", "command": ["{{Scripts.Agent(_directory, "exit 3", "failing.sh")}}"] }""";
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Spare(), Profiles(failing, SpareProfile)).StartAsync();

        await AssignAsync(hub, 1);

        Assert.Equal("agent_error", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
        Assert.Single(Scripts.Executions(_directory));
        Assert.False((await sidecar.StatusAsync()).TryGetProperty("breakers", out _));
    }

    private string Main => $$"""
        { "name": "main", "adapter": "claude-code", "command": ["{{_agents.Program("claude")}}"], "environment": { "HOME": "{{_directory.Path}}" } }
        """;

    private string SpareProfile => $$"""{ "name": "spare", "command": ["{{_directory["agent.sh"]}}"] }""";

    private string Spare() => Scripts.Agent(_directory, "fleet-sidecar task complete --output spare");

    private static string Profiles(params string[] profiles) => $$"""{ "wake": { "profiles": [ {{string.Join(", ", profiles)}} ] } }""";

    private static Task AssignAsync(ScriptedHub hub, int task) =>
        hub.SendAsync($$"""{"type":"task_assign","task_id":"task-{{task}}","generation":1,"description":"Say hi {{DeadAuth}}"}""");

    private static async Task<System.Text.Json.JsonElement> RunAsync(ScriptedHub hub, int task)
    {
        await AssignAsync(hub, task);
        await Wait.UntilAsync(() => hub.Of("task_complete").Any(done => done.GetProperty("task_id").GetString() == $"task-{task}"), $"task-{task} to be completed");
        var done = hub.Of("task_complete").First(done => done.GetProperty("task_id").GetString() == $"task-{task}");
        await hub.SendAsync($$"""{"type":"task_ack","task_id":"task-{{task}}","status":"complete","message_id":"{{done.GetProperty("message_id").GetString()}}"}""");
        return done.GetProperty("result");
    }
}
