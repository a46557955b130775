using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>The pull request for pushed work: one, whatever the forge does, and never at the cost of the work.</summary>
public sealed class PullRequestTests : IDisposable
{
    private const string Branch = "iris/task-1";

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Pushed_work_gets_one_pull_request_with_the_task_quoted_and_its_address_in_the_result()
    {
        await using var forge = await FakeForge.StartAsync();

        var (done, runs, log) = await CompleteAsync(forge, ", \"draft\": true", "Fix @everyone's [link](http://evil) #1\n```\n</details> closes #7 @root\n````` more");

        var pull = Assert.Single(forge.Pulls);
        Assert.Equal("https://forge.example/fleet/app/pull/1", done.GetProperty("result").GetProperty("pull_request").GetString());
        Assert.Equal("open", done.GetProperty("result").GetProperty("pull_request_state").GetString());
        Assert.Equal("https://forge.example/fleet/app/pull/1", runs[0].GetProperty("pull_request").GetString());
        Assert.Equal("task-1: Fix everyone's link(httpevil) 1", pull["title"]!.GetValue<string>());
        Assert.Equal("main", pull["base"]!.GetValue<string>());
        Assert.True(pull["draft"]!.GetValue<bool>());
        var body = pull["body"]!.GetValue<string>();
        Assert.Contains("| generation | 1 |", body, StringComparison.Ordinal);
        Assert.Contains("| agent | `iris` |", body, StringComparison.Ordinal);
        Assert.Contains("| verification | pass |", body, StringComparison.Ordinal);
        Assert.EndsWith("\n``````\n", body, StringComparison.Ordinal);
        Assert.True(body.IndexOf('@', StringComparison.Ordinal) > body.IndexOf("``````text\n", StringComparison.Ordinal));
        Assert.All(forge.Asked, asked => Assert.Equal("Bearer forge-token-secret", asked.Token));
        Assert.DoesNotContain("forge-token-secret", log, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("open", false, "open")]
    [InlineData("closed", false, "closed")]
    [InlineData("closed", true, "merged")]
    public async Task One_that_is_there_is_reported_and_neither_doubled_nor_opened_again(string state, bool merged, string said)
    {
        await using var forge = await FakeForge.StartAsync();
        forge.ListsAll = true;
        forge.Add(Branch, state, merged);
        forge.Add(Branch, "open", repository: "stranger/app");
        forge.Add("iris/task-2", "open");

        var (done, _, _) = await CompleteAsync(forge);

        Assert.Equal(("https://forge.example/fleet/app/pull/1", said), (done.GetProperty("result").GetProperty("pull_request").GetString(), done.GetProperty("result").GetProperty("pull_request_state").GetString()));
        Assert.Equal(3, forge.Pulls.Count);
        Assert.DoesNotContain(forge.Asked, asked => asked.Method == "POST");
    }

    [Fact(Timeout = 120_000)]
    public async Task Killed_between_opening_and_recording_the_next_process_finds_it()
    {
        await using var forge = await FakeForge.StartAsync();
        var crash = new CrashPoint(_directory, "pull_request_opened");
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), forge.Settings(_directory)).StartAsync(crashPoint: crash);
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(origin, "x"));
        await crash.ReachedAsync();
        Assert.Single(forge.Pulls);

        sidecar.Program.Kill();
        await sidecar.StartAsync();

        var done = await hub.WaitForAsync("task_complete");
        Assert.Equal("https://forge.example/fleet/app/pull/1", done.GetProperty("result").GetProperty("pull_request").GetString());
        Assert.Single(forge.Pulls);
        Assert.Single(forge.Asked, asked => asked.Method == "POST");
    }

    [Fact(Timeout = 120_000)]
    public async Task One_that_somebody_opened_at_the_same_moment_is_found_after_the_refusal()
    {
        await using var forge = await FakeForge.StartAsync();
        forge.Instead = (context, _) =>
        {
            if (context.Request.Method == "POST" && forge.Pulls.Count == 0)
            {
                forge.Add(Branch, "open");
            }

            return Task.FromResult(false);
        };

        var (done, _, _) = await CompleteAsync(forge);

        Assert.Equal("https://forge.example/fleet/app/pull/1", done.GetProperty("result").GetProperty("pull_request").GetString());
        Assert.Single(forge.Pulls);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_overloaded_forge_is_asked_again_when_it_wishes_and_a_lost_answer_opens_no_second_one()
    {
        await using var forge = await FakeForge.StartAsync();
        forge.Instead = async (context, count) =>
        {
            if (count == 1)
            {
                context.Response.Headers.RetryAfter = "2";
                await FakeForge.AnswerAsync(context, 503, "busy");
                return true;
            }

            if (context.Request.Method == "POST" && forge.Pulls.Count == 0)
            {
                forge.Add(Branch, "open");
                context.Abort();
                return true;
            }

            return false;
        };
        var started = TimeProvider.System.GetTimestamp();

        var (done, _, log) = await CompleteAsync(forge);

        Assert.Equal("https://forge.example/fleet/app/pull/1", done.GetProperty("result").GetProperty("pull_request").GetString());
        Assert.Single(forge.Pulls);
        Assert.True(TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(2));
        Assert.Contains("ForgeWaiting", log, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData(401, "{}", "forge_unauthorized")]
    [InlineData(403, """{"message":"Resource not accessible by personal access token"}""", "forge_forbidden: the token may not do this (403: Resource not")]
    [InlineData(404, "{}", "forge_not_found")]
    [InlineData(422, """{"message":"Validation Failed"}""", "forge_rejected")]
    [InlineData(302, "", "forge_redirect")]
    [InlineData(200, "<html>please log in</html>", "forge_bad_answer")]
    [InlineData(200, "{\"a\":1}", "forge_bad_answer")]
    [InlineData(200, "HUGE", "forge_bad_answer: the answer cannot be used: more than")]
    [InlineData(200, "DEEP", "forge_bad_answer")]
    [InlineData(503, "", "forge_unreachable")]
    [InlineData(200, "HANG", "forge_unreachable")]
    public async Task A_forge_that_says_no_or_nothing_or_nonsense_costs_a_warning_and_not_the_work(int status, string body, string code)
    {
        await using var forge = await FakeForge.StartAsync();
        await using var elsewhere = await FakeForge.StartAsync();
        forge.Instead = async (context, _) =>
        {
            if (body == "HANG")
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, forge.Over).ContinueWith(_ => { }, TaskScheduler.Default);
                return true;
            }

            context.Response.Headers.Location = status == 302 ? elsewhere.Api : default;
            await FakeForge.AnswerAsync(context, status, body switch { "HUGE" => new string(' ', 5_000_000), "DEEP" => new string('[', 100), _ => body });
            return true;
        };

        var (done, _, log) = await CompleteAsync(forge, ", \"giveUpAfter\": \"00:00:03\"");

        Assert.False(done.GetProperty("result").TryGetProperty("pull_request", out _));
        Assert.Equal("pass", done.GetProperty("verification_report").GetProperty("status").GetString());
        var check = done.GetProperty("verification_report").GetProperty("checks").EnumerateArray().Last();
        Assert.Equal(("pull_request", "skipped"), (check.GetProperty("type").GetString(), check.GetProperty("status").GetString()));
        Assert.StartsWith(code, check.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("PullRequestFailed", log, StringComparison.Ordinal);
        Assert.DoesNotContain("forge-token-secret", log, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Asked);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_dead_forge_is_given_up_before_the_deadline_of_the_step_fails_the_run()
    {
        await using var forge = await FakeForge.StartAsync();
        forge.Instead = (context, _) => FakeForge.AnswerAsync(context, 503, "").ContinueWith(_ => true, TaskScheduler.Default);

        var (done, _, _) = await CompleteAsync(forge, more: """, "deadlines": { "submit": "00:00:05" }""");

        Assert.False(done.GetProperty("result").TryGetProperty("pull_request", out _));
    }

    [Fact(Timeout = 120_000)]
    public async Task Work_without_a_commit_asks_nothing_of_the_forge()
    {
        await using var forge = await FakeForge.StartAsync();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), forge.Settings(_directory)).StartAsync();
        Scripts.Go(_directory);

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await hub.WaitForAsync("task_complete");

        Assert.Empty(forge.Asked);
    }

    private async Task<(JsonElement Done, JsonElement Runs, string Log)> CompleteAsync(FakeForge forge, string forgeSettings = "", string description = "x", string more = "")
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), forge.Settings(_directory, forgeSettings)[..^1] + more + "}").StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(origin, description));
        var done = await hub.WaitForAsync("task_complete");
        Assert.Equal(await origin.HeadAsync(Branch), done.GetProperty("result").GetProperty("commit").GetString());
        return (done, await sidecar.RunsAsync(), sidecar.Program.Text);
    }

    private static string Assign(GitOrigin origin, string description) =>
        $$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":{{TestHub.Quote(description)}},"repo":"{{origin.Path}}"}""";
}
