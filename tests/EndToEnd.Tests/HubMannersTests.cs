using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>What the hub owes every sidecar: an answer in the words of its version, the greeting first, and each assignment once.</summary>
public sealed class HubMannersTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_sidecar_that_speaks_version_1_completes_its_task_at_our_hub()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            """{ "hub": { "protocolVersion": 1 } }""").StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync(await hub.AddAsync("In the old words"), "completed", TimeSpan.FromSeconds(25));

        await sidecar.WaitForRunAsync("settled");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_version_1_connection_gets_every_answer_of_version_1_and_no_other_whatever_ids_it_carries()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"), version: 1);
        var task = await hub.AddAsync("x");
        await agent.ReadAsync("task_assign");
        string Message(string type, int generation, string more = "") =>
            $$"""{"type":"{{type}}","task_id":"{{task}}","generation":{{generation}},"message_id":"m-{{type}}-{{generation}}"{{more}}}""";

        await agent.SendAsync(Message("wake_result", 9, ",\"status\":\"success\""));
        await agent.SendAsync(Message("task_progress", 9));
        await agent.SendAsync(Message("task_accepted", 1));
        await AssertAnswerAsync(agent, "task_ack", "status", "accepted");
        await agent.SendAsync(Message("task_accepted", 1));
        await AssertAnswerAsync(agent, "task_ack", "status", "accepted");
        await agent.SendAsync(Message("task_complete", 9));
        await AssertAnswerAsync(agent, "error", "error", "task_complete_failed: stale_generation");
        await agent.SendAsync(Message("task_failed", 9, ",\"error\":\"x\""));
        await AssertAnswerAsync(agent, "error", "error", "task_fail_failed: stale_generation");
        await agent.SendAsync(Message("task_complete", 1, ",\"result\":{\"status\":\"success\"}"));
        await AssertAnswerAsync(agent, "task_ack", "status", "complete");

        var failing = await hub.AddAsync("y", maxRetries: 0);
        var assign = await agent.ReadAsync("task_assign");
        await agent.SendAsync(Message("task_failed", 1, ",\"error\":\"x\"").Replace(task, failing, StringComparison.Ordinal));
        Assert.Equal(failing, assign.GetProperty("task_id").GetString());
        await AssertAnswerAsync(agent, "task_ack", "status", "dead_letter");
    }

    [Fact(Timeout = 240_000)]
    public async Task The_greeting_comes_first_and_each_assignment_once_on_every_one_of_300_connections()
    {
        using var hub = await TestHub.StartAsync(_directory);

        await Task.WhenAll(Enumerable.Range(0, 10).Select(number => ConnectAgainAndAgainAsync(hub, $"agent-{number}", 30)));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_rejection_without_a_generation_is_taken_for_the_task_that_the_agent_holds()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"), version: 1);
        using var other = await RawAgent.IdentifyAsync(hub.SocketUrl, "noah", await hub.TokenAsync("noah"), version: 1);
        var task = await hub.AddJsonAsync("""{"description":"x","max_retries":0,"needed_capabilities":["code"],"assign_to":"iris"}""");
        await agent.ReadAsync("task_assign");

        await other.SendAsync($$"""{"type":"task_rejected","task_id":"{{task}}","reason":"busy"}""");
        await agent.SendAsync($$"""{"type":"task_rejected","task_id":"{{task}}","reason":"busy"}""");

        Assert.Equal(2, (await agent.ReadAsync("task_assign")).GetProperty("generation").GetInt32());
        Assert.Equal(1, await hub.CountAsync(task, "requeued"));
        Assert.Equal(0, (await hub.TaskAsync(task)).GetProperty("retry_count").GetInt32());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_restored_from_its_backup_takes_the_known_outcome_under_the_generation_that_it_gave()
    {
        using var hub = await TestHub.StartAsync(_directory, "--retry-delay", "00:00:00");
        var token = await hub.TokenAsync("iris");
        var task = await hub.AddAsync("Done before", maxRetries: 3);
        string Accepted(int generation) => $$"""{"type":"task_accepted","task_id":"{{task}}","generation":{{generation}},"message_id":"r-1.accepted"}""";
        string Complete(int generation) => $$"""{"type":"task_complete","task_id":"{{task}}","generation":{{generation}},"message_id":"r-1.final","result":{"status":"success"} }""";
        using (var before = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token))
        {
            await before.ReadAsync("task_assign");
            await before.SendAsync(Accepted(1));
            await hub.WaitForAsync(task, "working");
            await TestProgram.MustAsync("/usr/bin/env", "sqlite3", Path.Combine(hub.Data, "hub.db"), $".backup {_directory["copy.db"]}");
            await before.SendAsync(Complete(1));
            Assert.Equal("complete", (await before.ReadAsync("task_ack")).GetProperty("status").GetString());
        }

        hub.Kill();
        foreach (var file in Directory.GetFiles(hub.Data, "hub.db*"))
        {
            File.Delete(file);
        }

        File.Copy(_directory["copy.db"], Path.Combine(hub.Data, "hub.db"));
        await hub.StartAsync();
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token); // Its first heartbeat names no run, as of a settled one.
        await agent.BeatAsync();
        Assert.Equal(2, (await agent.ReadAsync("task_assign")).GetProperty("generation").GetInt32());
        await agent.SendAsync(Accepted(2));
        await agent.SendAsync(Complete(2));

        var ack = await agent.ReadAsync("task_ack");
        Assert.Equal("complete", ack.GetProperty("status").GetString());
        Assert.Equal("r-1.final", ack.GetProperty("message_id").GetString());
        Assert.Equal("completed", (await hub.TaskAsync(task)).GetProperty("status").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task An_outcome_under_a_message_id_that_its_acceptance_had_already_is_not_lost()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        var task = await hub.AddAsync("x");
        await agent.ReadAsync("task_assign");

        await agent.SendAsync($$"""{"type":"task_accepted","task_id":"{{task}}","generation":1,"message_id":"m-1"}""");
        await agent.SendAsync($$"""{"type":"task_complete","task_id":"{{task}}","generation":1,"message_id":"m-1","result":{"status":"success"} }""");

        Assert.Equal("complete", (await agent.ReadAsync("task_ack")).GetProperty("status").GetString());
        Assert.Equal("completed", (await hub.TaskAsync(task)).GetProperty("status").GetString());
    }

    [Theory(Timeout = 60_000)]
    [InlineData(1_100_000)]
    [InlineData(1_048_500)]
    [InlineData(524_200)]
    public async Task L38_a_task_that_no_frame_can_carry_is_refused_when_it_is_submitted(int length)
    {
        using var hub = await TestHub.StartAsync(_directory);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            hub.AddJsonAsync($$"""{"description":"x","metadata":{"text":"{{new string('y', length)}}"} }"""));

        Assert.StartsWith("422 ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("the limit is 524288", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await hub.GetAsync("/api/tasks")).GetProperty("count").GetInt32());
    }

    [Fact(Timeout = 60_000)]
    public async Task L64_what_the_page_is_given_does_not_grow_with_what_was_submitted()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var ids = new List<string>();
        for (var number = 0; number < 20; number++)
        {
            ids.Add(await hub.AddJsonAsync($$"""{"description":"task {{number}}","metadata":{"text":"{{new string('y', 500_000)}}"} }"""));
        }

        var small = await hub.AddAsync("a small one");

        var page = await hub.GetAsync("/api/dashboard");

        Assert.InRange(page.GetRawText().Length, 1, 100_000);
        var shown = page.GetProperty("tasks").EnumerateArray().ToDictionary(task => task.GetProperty("id").GetString()!, task => task.GetProperty("description").GetString());
        Assert.Equal(21, shown.Count);
        Assert.Equal("a small one", shown[small]);
        Assert.Equal($"(a task of 488 KiB: fleet-hub task show {ids[0]})", shown[ids[0]]);
        Assert.Equal("task 0", (await hub.TaskAsync(ids[0])).GetProperty("description").GetString());
    }

    private static async Task ConnectAgainAndAgainAsync(TestHub hub, string name, int times)
    {
        var token = await hub.TokenAsync(name);
        for (var time = 0; time < times; time++)
        {
            // The task comes while the connection does: before it, in its middle or after it.
            var adding = hub.AddJsonAsync($$"""{"description":"x","assign_to":"{{name}}"}""");
            using var agent = await RawAgent.CallAsync(hub.SocketUrl, name, token, version: 1);
            var task = await adding;
            var frames = new List<JsonElement>();
            await ReadUntilAsync(agent, frames, "task_assign");
            await agent.SendAsync("""{"type":"ping"}""");
            await ReadUntilAsync(agent, frames, "pong");

            var kinds = frames.Select(frame => frame.GetProperty("type").GetString()!).ToList();
            Assert.True(kinds is ["identified", "task_assign", "pong"], $"{task}:\n{string.Join('\n', frames)}");
            Assert.Equal(task, frames[1].GetProperty("task_id").GetString());
            await agent.SendAsync($$"""{"type":"task_complete","task_id":"{{task}}","generation":{{frames[1].GetProperty("generation")}} }""");
            await agent.ReadAsync("task_ack");
        }
    }

    private static async Task ReadUntilAsync(RawAgent agent, List<JsonElement> frames, string kind)
    {
        do
        {
            frames.Add(await agent.NextAsync() ?? throw new InvalidOperationException($"closed while waiting for {kind}"));
        }
        while (frames[^1].GetProperty("type").GetString() != kind);
    }

    private static async Task AssertAnswerAsync(RawAgent agent, string type, string field, string value)
    {
        var answer = await agent.NextAsync();
        Assert.NotNull(answer);
        Assert.Equal(type, answer.Value.GetProperty("type").GetString());
        Assert.Equal(value, answer.Value.GetProperty(field).GetString());
        Assert.False(answer.Value.TryGetProperty("message_id", out _));
    }
}
