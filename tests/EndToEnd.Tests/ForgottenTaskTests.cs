namespace FleetSidecar.EndToEnd;

/// <summary>A task stays with an agent that says so, and with no other: not for a ping, not for a question, not for a restart of the hub.</summary>
public sealed class ForgottenTaskTests : IDisposable
{
    private static readonly string[] Quick = ["--accept-deadline", "00:00:02", "--retry-delay", "00:00:00"];
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task L50_an_agent_that_reconnects_without_its_task_loses_it_whatever_else_it_says(int version)
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Remember me", maxRetries: 3));
        (await WorkingAsync(hub, token, task, version)).Dispose();

        using var agent = await RawAgent.CallAsync(hub.SocketUrl, "iris", token, version);
        await agent.ReadAsync("identified");
        await TalkUntilAsync(agent, async () => await hub.CountAsync(task, "retried") > 0);

        Assert.Contains("no_sign: iris connected again and gave no sign of the run", (await hub.TaskAsync(task)).ToString(), StringComparison.Ordinal);
        Assert.Equal(1, (await hub.TaskAsync(task)).GetProperty("retry_count").GetInt32());
    }

    [Theory(Timeout = 60_000)]
    [InlineData("""{"type":"task_accepted","task_id":"TASK","generation":1,"message_id":"m-1"}""")]
    [InlineData("""{"type":"task_accepted","task_id":"TASK"}""")]
    [InlineData("""{"type":"state_report","task_id":"TASK","generation":1,"status":"working"}""")]
    [InlineData("""{"type":"task_progress","task_id":"TASK","generation":1,"progress":50}""")]
    [InlineData("""{"type":"wake_result","task_id":"TASK","generation":1,"status":"success"}""")]
    public async Task An_agent_that_reconnects_and_gives_a_sign_of_its_task_keeps_it(string sign)
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Remember me", maxRetries: 3));
        (await WorkingAsync(hub, token, task, version: 1)).Dispose();

        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1);
        await agent.SendAsync(sign.Replace("TASK", task, StringComparison.Ordinal));

        await AssertStaysAsync(hub, task);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_question_with_nothing_behind_it_does_not_keep_a_task_however_often_it_is_asked()
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Remember me", maxRetries: 3));
        using var agent = await WorkingAsync(hub, token, task, version: 1);
        var question = $$"""{"type":"task_recovering","task_id":"{{task}}"}""";

        await agent.SendAsync(question);
        Assert.Equal(1, (await agent.ReadAsync("task_continue")).GetProperty("generation").GetInt32());
        await TalkUntilAsync(agent, async () => await hub.CountAsync(task, "retried") > 0, question);

        Assert.Contains("no_sign", (await hub.TaskAsync(task)).ToString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task After_a_restart_of_the_hub_a_slow_agent_is_waited_for_and_one_that_forgot_is_not()
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Remember me", maxRetries: 3));
        (await WorkingAsync(hub, token, task, version: 1)).Dispose();
        using (await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1)) // A sign is awaited when the hub dies.
        {
            hub.Kill();
        }

        await hub.StartAsync();
        await AssertStaysAsync(hub, task); // Without a connection no sign can come.

        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1);
        await TalkUntilAsync(agent, async () => await hub.CountAsync(task, "retried") > 0);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_connection_that_ends_before_the_sign_came_leaves_the_task_to_its_lease()
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Remember me", maxRetries: 3));
        (await WorkingAsync(hub, token, task, version: 1)).Dispose();

        (await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1)).Dispose();
        await hub.Program.WaitForLinesAsync("AgentDown]", 2);

        await AssertStaysAsync(hub, task);
    }

    [Fact(Timeout = 120_000)]
    public async Task L1_a_black_hole_longer_than_the_shortest_allowed_lease_costs_no_second_execution()
    {
        using var hub = await TestHub.StartAsync(_directory, [.. Quick, "--lease", "00:00:04", "--idle-limit", "00:00:03"]);
        using var proxy = new TcpProxy(hub.Port);
        using var sidecar = await TestSidecar.Create(_directory, proxy.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            """{ "hub": { "connectTimeout": "00:00:01" } }""").StartAsync();
        var task = await hub.AddAsync("Once", maxRetries: 3);
        await hub.WaitForAsync(task, "working");
        await Scripts.StartedAsync(_directory);

        proxy.BlackHole();
        await Wait.ForAsync(async () => await hub.CountAsync(task, "retried") > 0 ? new object() : null, "the lease to end");
        proxy.Heal();
        await hub.WaitForAsync(task, "working", TimeSpan.FromSeconds(60));
        Scripts.Go(_directory);

        var done = await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        Assert.Equal(1, done.GetProperty("generation").GetInt32());
        Assert.Single(Scripts.Executions(_directory));
        Assert.Equal(1, await hub.CountAsync(task, "assigned"));
    }

    [Fact(Timeout = 60_000)]
    public async Task L1_a_report_of_the_attempt_before_is_told_to_go_on_under_the_newer_one_of_the_same_agent()
    {
        using var hub = await TestHub.StartAsync(_directory, Quick);
        var (token, task) = (await hub.TokenAsync("iris"), await hub.AddAsync("Once", maxRetries: 3));
        (await WorkingAsync(hub, token, task, version: 1)).Dispose();
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1);
        Assert.Equal(2, (await agent.ReadAsync("task_assign")).GetProperty("generation").GetInt32()); // Taken back, and given again.

        await agent.SendAsync($$"""{"type":"state_report","task_id":"{{task}}","generation":1,"status":"working"}""");

        var answer = await agent.ReadAsync("state_report_ack");
        Assert.Equal("continue", answer.GetProperty("action").GetString());
        Assert.Equal(2, answer.GetProperty("generation").GetInt32());
    }

    private static async Task<RawAgent> WorkingAsync(TestHub hub, string token, string task, int version)
    {
        var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version);
        await agent.ReadAsync("task_assign");
        await agent.SendAsync($$"""{"type":"task_accepted","task_id":"{{task}}","generation":1,"message_id":"m-1"}""");
        await hub.WaitForAsync(task, "working");
        return agent;
    }

    private static async Task TalkUntilAsync(RawAgent agent, Func<Task<bool>> done, string frame = """{"type":"ping"}""") => await Wait.ForAsync(async () =>
    {
        await agent.SendAsync(frame);
        return await done() ? new object() : null;
    }, "the task to be taken back", TimeSpan.FromSeconds(15));

    private static Task AssertStaysAsync(TestHub hub, string task) => Wait.WhileAsync(
        () => hub.TaskAsync(task).GetAwaiter().GetResult().GetProperty("status").GetString() == "working", "the task stays past the accept deadline", TimeSpan.FromSeconds(4));
}
