using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>What an agent reported and what then ended its attempt are two things; the hub, the log and the command line hear both. The built programs.</summary>
[Trait("kind", "a result that was taken is lost without a name")]
public sealed class UncountedReportTests : IDisposable
{
    private const string File = "echo '{\"status\":\"success\",\"output\":\"MARK\"}' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"";

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("fleet-sidecar task complete --output MARK", "success")]
    [InlineData("fleet-sidecar task fail --reason MARK", "failed")]
    [InlineData(File, "success")]
    public async Task A_deadline_that_ends_an_agent_after_its_report_tells_both(string says, string status)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start; {says}; exec sleep 300");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "deadlines": { "wallClock": "00:00:10" } }""").StartAsync();

        await AssignAsync(hub);

        await ToldAsync(sidecar, await hub.WaitForAsync("task_failed"), status, "timeout");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_drain_that_ends_an_agent_after_its_report_tells_both()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start; fleet-sidecar task complete --output MARK; touch \"$FLEET_TEST_DIR/said\"; exec sleep 300");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await AssignAsync(hub);
        await Wait.UntilAsync(() => System.IO.File.Exists(_directory["said"]), "the report");

        await sidecar.CliAsync("drain", "--deadline", "1s");

        await ToldAsync(sidecar, await hub.WaitForAsync("task_failed"), "success", "timeout");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_cancellation_after_the_report_names_it()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start; fleet-sidecar task complete --output MARK; touch \"$FLEET_TEST_DIR/said\"; exec sleep 300");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await AssignAsync(hub);
        await Wait.UntilAsync(() => System.IO.File.Exists(_directory["said"]), "the report");

        await hub.SendAsync("""{"type":"task_cancelled","task_id":"task-a","generation":1,"reason":"enough"}""");

        Assert.Contains("had reported 'success': MARK", await LineAsync(sidecar), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("fleet-sidecar task complete --output MARK")]
    [InlineData(File)]
    public async Task A_report_before_a_failover_is_named_and_is_not_the_next_profiles(string says)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"[ \"$(wc -l <\"$FLEET_TEST_DIR/executions\")\" = 1 ] || exit 0\n{says}; sleep 0.5; echo '401 unauthorized' >&2; exit 1");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""
            { "wake": { "profiles": [ { "name": "main", "command": ["{{agent}}"] }, { "name": "second", "command": ["{{agent}}"] } ] } }
            """).StartAsync();

        await AssignAsync(hub);

        var failed = await hub.WaitForAsync("task_failed");
        await ToldAsync(sidecar, failed, "success", "agent_error");
        Assert.Contains("; the agent of an earlier profile had reported", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("its provider failed", await LineAsync(sidecar), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_report_that_fails_its_checks_is_told_with_them()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "echo done >done.txt; git add done.txt; git commit --quiet -m Done; fleet-sidecar task complete --output \"$(printf 'MARK\\nsecond line')\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}","verification_steps":[{"type":"file_exists","target":"missing"}]}""");

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Equal("verification", failed.GetProperty("code").GetString());
        Assert.Equal("MARK\nsecond line", failed.GetProperty("reported").GetProperty("output").GetString());
        Assert.EndsWith("had reported 'success': MARK second line", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("MARK second line", await LineAsync(sidecar), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("fleet-sidecar task complete --output FIRST")]
    [InlineData("echo '{\"status\":\"success\",\"output\":\"FIRST\"}' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"; while [ -e \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\" ]; do sleep 0.05; done")]
    public async Task A_second_result_does_not_count_and_is_kept_by_its_name(string first)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, $"{first}; {File}")).StartAsync();

        await AssignAsync(hub);

        Assert.Equal("FIRST", (await hub.WaitForAsync("task_complete")).GetProperty("result").GetProperty("output").GetString());
        await sidecar.Program.WaitForLineAsync("ResultPutAside]");
        var second = Assert.Single(Directory.GetFiles(Path.Combine(sidecar.State, "runs"), "second-1-task-a.json", SearchOption.AllDirectories));
        Assert.Contains("MARK", System.IO.File.ReadAllText(second), StringComparison.Ordinal);
        Assert.Contains(second, sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("no JSON", "the result file")]
    [InlineData("{\"status\":\"failed\"}", "the agent said that it failed and gave no reason")]
    [InlineData("{\"status\":\"failed\",\"output\":\"MARK\"}", "the agent said that it failed and gave no reason")]
    [InlineData("{\"status\":\"done\",\"output\":\"MARK\"}", "the agent reported the status 'done'")]
    public async Task A_failure_that_is_made_of_the_report_is_told_once(string file, string reason)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, $"echo '{file}' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"")).StartAsync();

        await AssignAsync(hub);

        var failed = await hub.WaitForAsync("task_failed");
        Assert.StartsWith(reason, failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("had reported", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(file.StartsWith('{'), failed.TryGetProperty("reported", out _));
        await sidecar.WaitForRunAsync("settled");
        Assert.DoesNotContain("ReportNotCounted]", sidecar.Program.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("ResultPutAside]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("echo '{\"status\":\"success\",\"output\":\"x\",}' >\"$F\"", "is not JSON")]
    [InlineData("mkfifo \"$F\"", "is a pipe or a device, not a file")]
    public async Task A_broken_result_of_an_agent_that_a_signal_woke_is_told_and_not_waited_out(string leaves, string words)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"F=\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"; fleet-sidecar task start; {leaves}");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, $$"""
            { "wake": { "profiles": [ { "name": "main", "mode": "signal", "command": ["{{agent}}"] } ] } }
            """).StartAsync();

        await AssignAsync(hub);

        var failed = await hub.WaitForAsync("task_failed", limit: TimeSpan.FromSeconds(60));
        Assert.Equal("agent_error", failed.GetProperty("code").GetString());
        Assert.Contains(words, failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_result_that_is_half_written_at_a_deadline_is_not_taken_for_the_agents_word_and_is_named()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "printf '{\"status\":\"succ' >\"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"; exec sleep 300");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "deadlines": { "wallClock": "00:00:10" } }""").StartAsync();

        await AssignAsync(hub);

        var failed = await hub.WaitForAsync("task_failed");
        Assert.Contains("; the agent had reported a result that counts as none: the result file", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.False(failed.TryGetProperty("reported", out _));
        Assert.Contains("a result that counts as none", await LineAsync(sidecar), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("true")]
    [InlineData("true >\"$F\"")]
    [InlineData("printf '{\"status\":\"succ' >\"$F\"")]
    [InlineData("echo '{\"output\":\"notes\"}' >\"$F\"")]
    [InlineData("head -c 2000000 /dev/zero >\"$F\"")]
    [InlineData("ln -s /nonexistent \"$F\"")]
    [InlineData("mkfifo \"$F\"")]
    [InlineData("mkdir -p \"$F/full\"")]
    public async Task A_report_without_a_sidecar_is_left_whatever_stood_in_its_place_and_a_second_one_is_refused(string harm)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"""
            F="$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json"; fleet-sidecar task start
            while [ ! -e "$FLEET_TEST_DIR/down" ]; do sleep 0.05; done
            {harm}
            fleet-sidecar task complete --output FIRST
            fleet-sidecar task complete --output FIRST
            fleet-sidecar task fail --reason SECOND 2>"$FLEET_TEST_DIR/refused" && exit 3
            mv "$FLEET_TEST_DIR/refused" "$FLEET_TEST_DIR/said"
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        await AssignAsync(hub);
        await hub.WaitForAsync("wake_result");
        sidecar.Program.Kill();
        _directory.Write("down", "");
        await Wait.UntilAsync(() => System.IO.File.Exists(_directory["said"]), "the agent's words");

        await sidecar.StartAsync();

        Assert.Equal("FIRST", (await hub.WaitForAsync("task_complete")).GetProperty("result").GetProperty("output").GetString());
        Assert.Contains("this run has already reported 'success'", System.IO.File.ReadAllText(_directory["said"]), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Our_hub_shows_what_the_agent_had_reported()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start; fleet-sidecar task complete --output MARK; exec sleep 300");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, """{ "deadlines": { "wallClock": "00:00:10" } }""").StartAsync();

        var task = await hub.WaitForAsync(await hub.AddAsync("never ends"), "dead_letter");

        Assert.Contains("the agent had reported 'success': MARK", task.GetProperty("last_error").GetString(), StringComparison.Ordinal);
    }

    private static Task AssignAsync(ScriptedHub hub) => hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""");

    private static async Task ToldAsync(TestSidecar sidecar, JsonElement failed, string status, string code)
    {
        Assert.Equal(code, failed.GetProperty("code").GetString());
        Assert.Equal((status, "MARK"), (failed.GetProperty("reported").GetProperty("status").GetString(), failed.GetProperty("reported").GetProperty("output").GetString()));
        Assert.EndsWith($"had reported '{status}': MARK", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains($"had reported '{status}': MARK", await LineAsync(sidecar), StringComparison.Ordinal);
        Assert.Equal($"'{status}': MARK", (await sidecar.RunsAsync())[0].GetProperty("reported").GetString());
    }

    private static async Task<string> LineAsync(TestSidecar sidecar)
    {
        await sidecar.Program.WaitForLineAsync("ReportNotCounted]");
        return sidecar.Program.Text.Split('\n').First(line => line.Contains("ReportNotCounted]", StringComparison.Ordinal));
    }
}
