using System.Net.WebSockets;

namespace FleetSidecar.EndToEnd;

/// <summary>Two sidecars with one identity: one of them gets the link and works, and a person hears of it. One sidecar in trouble is not two.</summary>
public sealed class SharedIdentityTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task L60_of_two_sidecars_with_one_identity_one_keeps_the_link_and_completes_tasks()
    {
        using var second = new TempDir();
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        Scripts.Go(_directory);
        Scripts.Go(second);
        using var one = await TestSidecar.Create(_directory, hub.SocketUrl, token, Scripts.Worker(_directory)).StartAsync();
        using var two = await TestSidecar.Create(second, hub.SocketUrl, token, Scripts.Worker(second)).StartAsync();

        await hub.Program.WaitForLineAsync("IdentityShared]", TimeSpan.FromSeconds(60));
        var refused = await Wait.ForAsync(() => Task.FromResult(
            new[] { one, two }.FirstOrDefault(sidecar => sidecar.Program.Text.Contains("identity_shared", StringComparison.Ordinal))), "a sidecar to be refused");

        var holder = refused == one ? two : one;
        var changes = hub.Program.Lines.Count(line => line.Contains("AgentSuperseded]", StringComparison.Ordinal));
        for (var number = 0; number < 3; number++)
        {
            await hub.WaitForAsync(await hub.AddAsync($"Task {number}"), "completed", TimeSpan.FromSeconds(40));
        }

        Assert.Equal(3, changes);
        Assert.Equal(changes, hub.Program.Lines.Count(line => line.Contains("AgentSuperseded]", StringComparison.Ordinal)));
        Assert.Equal("up", (await holder.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
        Assert.Equal("refused", (await refused.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
        Assert.Contains("00:05:00", refused.Program.Text, StringComparison.Ordinal); // As long as the hub asked.
        foreach (var page in new[] { "/api/alerts", "/api/dashboard", "/api/agents" })
        {
            Assert.Contains("identity_shared", (await hub.GetAsync(page)).ToString(), StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task L60_the_newcomer_is_told_why_and_for_how_long_and_the_holder_stays()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        var agents = new List<RawAgent>();
        foreach (var instance in new[] { "a", "b", "a", "b" })
        {
            agents.Add(await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, instance: instance));
        }

        using var newcomer = await RawAgent.CallAsync(hub.SocketUrl, "iris", token, instance: "a");
        var error = await newcomer.NextAsync();

        Assert.Equal("identity_shared", error!.Value.GetProperty("error").GetString());
        Assert.Contains("retry in 300s", error.Value.GetProperty("hint").GetString(), StringComparison.Ordinal);
        Assert.Null(await newcomer.NextAsync());
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, newcomer.CloseStatus);
        Assert.Equal("identity_shared: retry in 300s", newcomer.CloseText);
        var task = await hub.AddAsync("For the holder");
        Assert.Equal(task, (await agents[^1].ReadAsync("task_assign")).GetProperty("task_id").GetString());

        // The holder's own process may reconnect at any time, and so may the other one when the holder is gone.
        using var again = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, instance: "b");
        again.Dispose();
        agents.ForEach(agent => agent.Dispose());
        await Wait.ForAsync(async () => (await hub.GetAsync("/api/agents")).GetProperty("agents")[0].GetProperty("status").GetString() == "offline" ? new object() : null, "the holder to be gone");
        using var heir = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, instance: "a");
    }

    [Theory(Timeout = 60_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_sidecar_whose_network_flaps_or_which_crashes_again_and_again_is_not_two(bool sameProcess)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        var agents = new List<RawAgent>();

        for (var time = 0; time < 12; time++)
        {
            // The older connection still stands: nothing came of its end.
            agents.Add(await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, instance: sameProcess ? "a" : $"process-{time}"));
        }

        Assert.DoesNotContain("identity_shared", (await hub.GetAsync("/api/alerts")).ToString(), StringComparison.Ordinal);
        agents.ForEach(agent => agent.Dispose());
    }

    [Fact(Timeout = 60_000)]
    public async Task Version_1_sidecars_that_name_no_process_are_two_when_the_older_one_answers_the_goodbye()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var first = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1);
        var holder = first;
        for (var change = 1; change <= 3; change++)
        {
            var newer = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", token, version: 1);
            Assert.Equal("superseded", (await holder.ReadAsync("error")).GetProperty("error").GetString());
            Assert.Null(await holder.NextAsync());
            await holder.AnswerCloseAsync();
            await hub.Program.WaitForLinesAsync("AgentDown]", change);
            holder = newer;
        }

        using var newcomer = await RawAgent.CallAsync(hub.SocketUrl, "iris", token, version: 1);

        Assert.Equal("identity_shared", (await newcomer.NextAsync())!.Value.GetProperty("error").GetString());
        holder.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_sidecar_that_is_killed_and_started_six_times_is_never_refused()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory));

        for (var start = 0; start < 6; start++)
        {
            await sidecar.StartAsync();
            sidecar.Program.Kill();
        }

        await sidecar.StartAsync();
        Assert.DoesNotContain("IdentityShared]", hub.Program.Text, StringComparison.Ordinal);
    }
}
