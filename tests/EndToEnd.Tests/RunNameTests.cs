using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Each run has a name of its own, also where the run before it was over before it began.</summary>
public sealed class RunNameTests : IDisposable
{
    private const int Slots = 3, Rounds = 15;

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    // In one commit, while the agents are started, and while they work.
    [Theory(Timeout = 180_000)]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(60)]
    public async Task Tasks_that_are_cancelled_and_given_again_at_once_complete_each_under_its_own_name(int pause)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start; sleep 0.2; fleet-sidecar task complete --output \"$FLEET_TASK_ID\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""{ "agent": { "maxConcurrentRuns": {{Slots}} } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();

        for (var round = 0; round < Rounds; round++)
        {
            var tasks = Enumerable.Range(0, Slots).Select(slot => $"task-{round}-{slot}").ToList();
            foreach (var step in new Func<string, string>[] { task => Assign(task, 1), Cancel, task => Assign(task, 2) })
            {
                foreach (var task in tasks)
                {
                    await hub.SendAsync(step(task));
                }

                await Task.Delay(TimeSpan.FromMilliseconds(pause), TimeProvider.System, TestContext.Current.CancellationToken);
            }

            foreach (var task in tasks)
            {
                await Wait.UntilAsync(() => Outcome(hub, task) is not null, $"the outcome of {task}; {sidecar.Program.Text[^Math.Min(2000, sidecar.Program.Text.Length)..]}");
            }
        }

        var done = hub.Of("task_complete").Where(frame => frame.GetProperty("generation").GetInt64() == 2).DistinctBy(frame => frame.GetProperty("task_id").GetString()).ToList();
        Assert.Equal(Slots * Rounds, done.Count);
        Assert.All(done, frame => Assert.Equal(frame.GetProperty("task_id").GetString(), Result(frame, "output")));
        Assert.Distinct(done.Select(frame => Result(frame, "run_id")));
        Assert.DoesNotContain("RunSetAside", sidecar.Program.Text, StringComparison.Ordinal);
    }

    // The run that is cancelled while its workspace is made was never started in the directory that had waited for it.
    [Fact(Timeout = 180_000)]
    public async Task The_name_of_a_run_that_was_cancelled_before_its_agent_began_is_no_other_runs()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start; {Scripts.WaitForGo}; fleet-sidecar task complete --output \"$FLEET_TASK_ID\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""{ "agent": { "maxConcurrentRuns": {{Slots}} } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}"}""");
        await hub.WaitForAsync("task_accepted");
        await hub.SendAsync(Cancel("task-a"));
        await sidecar.WaitForRunAsync("settled");
        await hub.SendAsync(Assign("task-b", 1));
        await hub.WaitForAsync("wake_result");
        await hub.SendAsync(Assign("task-a", 2));
        await hub.WaitForAsync("wake_result", 2);
        var open = (await sidecar.StatusAsync()).GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("task_id").GetString()).Order(StringComparer.Ordinal);
        var killed = sidecar.Program;
        killed.Kill(); // What the next daemon knows of them is what is on disk.
        await sidecar.StartAsync();
        Scripts.Go(_directory);

        await Wait.UntilAsync(() => Outcome(hub, "task-a") is not null && hub.Of("task_complete").Any(frame => frame.GetProperty("task_id").GetString() == "task-b"), "both outcomes");
        Assert.Equal(["task-a", "task-b"], open);
        Assert.DoesNotContain("RunSetAside", killed.Text, StringComparison.Ordinal);
        Assert.All(hub.Of("task_complete"), frame => Assert.Equal(frame.GetProperty("task_id").GetString(), Result(frame, "output")));
    }

    private static JsonElement? Outcome(ScriptedHub hub, string task) => hub.Frames
        .Where(frame => frame.GetProperty("type").GetString() is "task_complete" or "task_failed" && frame.GetProperty("task_id").GetString() == task && frame.GetProperty("generation").GetInt64() == 2)
        .Select(frame => (JsonElement?)frame).FirstOrDefault();

    private static string Result(JsonElement frame, string name) => frame.GetProperty("result").GetProperty(name).GetString()!;

    private static string Assign(string task, int generation) => $$"""{"type":"task_assign","task_id":"{{task}}","generation":{{generation}},"description":"x"}""";

    private static string Cancel(string task) => $$"""{"type":"task_cancelled","task_id":"{{task}}","generation":1,"reason":"operator"}""";
}
