using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>The main job on the built programs: a pushed task becomes a commit on the origin.</summary>
public sealed class MainJobTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_task_becomes_a_commit_on_its_own_branch_and_the_hub_records_it_completed()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);

        var task = await hub.AddAsync("Write it down", origin.Path);
        var done = await hub.WaitForAsync(task, "completed");

        var commit = await origin.HeadAsync($"iris/{task}");
        Assert.NotNull(commit);
        Assert.Equal(commit, done.GetProperty("result").GetProperty("commit").GetString());
        Assert.Contains(done.GetProperty("result").GetProperty("wake_level").GetString(), (string[])["received", "active", "progressing"]);
        Assert.Contains($"{task}.txt", await origin.GitAsync("ls-tree", "--name-only", commit), StringComparison.Ordinal);
        Assert.Single(Scripts.Executions(_directory));
        await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "the run to be settled");
    }

    [Fact(Timeout = 120_000)]
    public async Task Two_repositories_and_five_tasks_each_get_a_branch_of_their_own()
    {
        var first = await GitOrigin.CreateAsync(_directory, "one");
        var second = await GitOrigin.CreateAsync(_directory, "two");
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            """{ "agent": { "maxConcurrentRuns": 3 } }""").StartAsync();
        Scripts.Go(_directory);

        var tasks = new List<(string Id, GitOrigin Origin)>();
        foreach (var origin in new[] { first, second, first, second, first })
        {
            tasks.Add((await hub.AddAsync("Write it down", origin.Path), origin));
        }

        foreach (var (id, origin) in tasks)
        {
            await hub.WaitForAsync(id, "completed");
            Assert.NotNull(await origin.HeadAsync($"iris/{id}"));
        }

        Assert.Equal(5, Scripts.Executions(_directory).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_task_costs_at_most_five_frames_acknowledgements_included()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"count"}""");
        await hub.WaitForAsync("task_complete");
        await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("outbox_messages").GetInt32() == 0 ? new object() : null, "the outbox to be empty");

        var fromSidecar = hub.Frames.Where(frame => frame.TryGetProperty("task_id", out _)).Select(frame => frame.GetProperty("type").GetString()).ToList();
        Assert.Equal(["task_accepted", "wake_result", "task_complete"], fromSidecar); // And task_assign and task_ack make five.
    }

    [Fact(Timeout = 120_000)]
    public async Task A_task_that_needs_what_no_agent_has_waits_and_is_shown_as_a_problem()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();

        var task = await hub.AddJsonAsync("""{"description":"draw","needed_capabilities":["gpu"]}""");

        await Wait.ForAsync(async () => (await hub.GetAsync("/api/alerts")).GetProperty("alerts").EnumerateArray()
            .Any(alert => alert.GetProperty("rule").GetString() == $"no_match.{task}") ? new object() : null, "the alert");
        Assert.Equal("queued", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        Assert.Empty(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task Cancelling_a_task_stops_its_agent_and_its_helpers()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "sleep 300 &\necho $! > \"$FLEET_TEST_DIR/helper\"\nfleet-sidecar task start\nwait");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();
        var task = await hub.AddAsync("Wait for ever");
        await hub.WaitForAsync(task, "working");
        await sidecar.WaitForRunAsync("working");
        var helper = (await File.ReadAllTextAsync(_directory["helper"])).Trim();

        using var response = await hub.Client.PostAsync(new Uri($"/api/tasks/{task}/cancel", UriKind.Relative), null);

        Assert.True(response.IsSuccessStatusCode);
        await sidecar.WaitForRunAsync("settled");
        await Wait.UntilAsync(() => !LiveProcess.Exists(helper), "the helper to be gone");
        Assert.Equal("cancelled", (await hub.TaskAsync(task)).GetProperty("status").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task Checks_that_nobody_can_make_are_skipped_and_keep_the_report_from_passing_and_a_missing_file_fails_the_task()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);

        var good = await hub.AddJsonAsync($$"""{"description":"x","repo":"{{origin.Path}}","verification_steps":[{"type":"file_exists","target":"README.md"},{"type":"tests_pass"}]}""");
        var bad = await hub.AddJsonAsync($$"""{"description":"x","repo":"{{origin.Path}}","max_retries":0,"verification_steps":[{"type":"file_exists","target":"missing.md"}]}""");

        var report = (await hub.WaitForAsync(good, "completed")).GetProperty("verification_report");
        Assert.Equal("skipped", report.GetProperty("status").GetString());
        var checks = report.GetProperty("checks").EnumerateArray().Select(check => $"{check.GetProperty("type")} {check.GetProperty("status")}");
        Assert.Equal(["commits pass", "file_exists pass", "tests_pass skipped"], checks);
        var failed = await hub.WaitForAsync(bad, "dead_letter");
        Assert.Contains("missing.md", failed.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        Assert.Null(await origin.HeadAsync($"iris/{bad}"));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_agent_reads_its_task_whole_from_the_file()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "cp \"$FLEET_TASK_FILE\" \"$FLEET_TEST_DIR/task.json\"\nfleet-sidecar task complete");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();

        var id = await hub.AddJsonAsync("""{"description":"naïve — “quotes” 漢字","metadata":{"deep":[1,{"a":null}]},"success_criteria":["it is done"]}""");
        await hub.WaitForAsync(id, "completed");

        using var task = JsonDocument.Parse(await File.ReadAllTextAsync(_directory["task.json"]));
        Assert.Equal("naïve — “quotes” 漢字", task.RootElement.GetProperty("description").GetString());
        Assert.Equal("it is done", task.RootElement.GetProperty("success_criteria")[0].GetString());
        Assert.Equal("""{"deep":[1,{"a":null}]}""", task.RootElement.GetProperty("metadata").GetRawText());
    }
}
