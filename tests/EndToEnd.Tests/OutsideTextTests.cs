using System.Text;
using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Text from outside ends no run and no loop: half of an emoji, marks, NUL and depth, from the agent and from the hub, on the built programs.</summary>
public sealed class OutsideTextTests : IDisposable
{
    private const string Good = """{"type":"result","subtype":"success","is_error":false,"result":"done \ud83d","session_id":"s","usage":{"input_tokens":1,"output_tokens":1}}""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, string, string> Records => new()
    {
        { "claude-code", Good, "done \uFFFD" },
        { "claude-code", """{"type":"system","subtype":"init","model":"m\ud83d","\udc00":1}""" + "\n" + Good.Replace("\"usage\"", "\"modelUsage\":{\"m\\ud83d\":{\"outputTokens\":1}},\"usage\"", StringComparison.Ordinal), "done \uFFFD" },
        { "codex", """{"type":"item.completed","item":{"type":"agent_message","text":"said \ud83d"}}""" + "\n" + """{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":-5}}""", "said \uFFFD" },
        { "gemini", """{"type":"message","role":"assistant","content":"said \ud83d"}""" + "\n" + """{"type":"result","status":"success","stats":{"models":{"m\udc00":{"total_tokens":3}}}}""", "said \uFFFD" },
        { "opencode", """{"type":"text","sessionID":"s\ud83d","part":{"text":"said \ud83d"}}""" + "\n" + """{"type":"step_finish","part":{"reason":"stop","tokens":{"total":9223372036854775807},"cost":1e28}}""", "said \uFFFD" },
        { "openclaw", """{"status":"ok","result":{"payloads":[{"text":"said \ud83d"}],"meta":{"agentMeta":{"sessionId":"s","model":"m\ud83d"}}}}""", "said \uFFFD" },
    };

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Records))]
    public async Task L31_A_cut_emoji_in_an_agents_record_ends_its_run_as_completed_and_the_next_task_runs(string adapter, string records, string said)
    {
        File.WriteAllText(_directory["records"], records + "\n");
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, adapter, $"cat '{_directory["records"]}'");

        foreach (var description in new[] { "first", "second" })
        {
            var done = await hub.WaitForAsync(await hub.AddAsync(description), "completed", TimeSpan.FromSeconds(45));
            Assert.Equal(said, done.GetProperty("result").GetProperty("output").GetString());
        }

        Assert.Contains("AgentTextRepaired]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task L43_A_record_of_more_than_a_mebibyte_behind_70_MiB_of_output_is_found_and_whole()
    {
        File.WriteAllText(_directory["record"], Good.Replace("done ", new string('x', 2 * 1024 * 1024), StringComparison.Ordinal) + "\n");
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await StartAsync(hub, "claude-code", $"yes '{{\"type\":\"progress\",\"text\":\"{new string('.', 200)}\"}}' | head -c 73400320; echo; cat '{_directory["record"]}'");

        var done = await hub.WaitForAsync(await hub.AddAsync("much"), "completed", TimeSpan.FromSeconds(60));

        Assert.EndsWith("xxx\uFFFD", done.GetProperty("result").GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Equal(2, done.GetProperty("tokens_used").GetInt64());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("EFBBBF7B22737461747573223A2273756363657373222C226F7574707574223A226F6B227D", "ok")]
    [InlineData("FFFE7B002200", null)]
    [InlineData("7B22737461747573223A2273756363657373222C226F7574707574223A22785C7564383364227D", "x\uFFFD")]
    [InlineData("7B22737461747573223A2273756363657373227D00", null)]
    public async Task L42_A_result_file_with_a_mark_or_half_an_emoji_is_a_success_and_a_broken_one_is_refused_by_name(string hex, string? output)
    {
        File.WriteAllBytes(_directory["form"], Convert.FromHexString(hex));
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"cp '{_directory["form"]}' \"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json\"");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();

        var end = await hub.WaitForAsync(await hub.AddAsync("report"), output is null ? "dead_letter" : "completed");

        if (output is null)
        {
            Assert.Contains(".json is not JSON: ", end.GetProperty("last_error").GetString(), StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(output, end.GetProperty("result").GetProperty("output").GetString());
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task L32_No_metadata_of_a_hub_ends_the_daemon_or_the_next_start_and_it_reaches_the_agent_as_text()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, "cp \"$FLEET_TASK_FILE\" \"$FLEET_TEST_DIR/$FLEET_TASK_ID.task\"\nfleet-sidecar task complete --output ok");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();
        (string Metadata, string? Stored)[] forms =
        [
            (@"{""a"":""\ud83d""}", "{\"a\":\"\uFFFD\"}"), (@"{""\ud83d"":1}", "{\"\uFFFD\":1}"), (@"{""onboarding"":""\ud83d"",""noop"":""\ud83d"",""base_commit"":""\ud83d""}", "\"base_commit\":\"\uFFFD\""),
            (@"{""a"":""x\u0000y""}", "{\"a\":\"x\uFFFDy\"}"), (@"{""n"":1e999,""m"":123456789012345678901234567890}", "1e999"), (Deep(29), Deep(29)), (Deep(31), Deep(31)), (Deep(32), null),
            (@"{""a"":1,""a"":2}", null),
        ];

        for (var index = 0; index < forms.Length; index++)
        {
            var task = $"task-{index}";
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":1,"description":"x \ud83d","metadata":{{forms[index].Metadata}}}""");
            if (forms[index].Stored is not { } stored)
            {
                continue;
            }

            await Wait.UntilAsync(() => hub.Of("task_complete").Any(frame => frame.GetProperty("task_id").GetString() == task), $"{task} to complete");
            var seen = await File.ReadAllTextAsync(_directory[$"{task}.task"]);
            Assert.Contains(stored, seen, StringComparison.Ordinal);
            Assert.Contains("x \uFFFD", seen, StringComparison.Ordinal);
        }

        await Wait.UntilAsync(() => sidecar.Program.Text.Contains("FrameRefused]", StringComparison.Ordinal), "a frame to be refused");
        await sidecar.StartAsync();

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-last","generation":1,"description":"after the restart"}""");
        await Wait.UntilAsync(() => hub.Of("task_complete").Any(frame => frame.GetProperty("task_id").GetString() == "task-last"), "the task after the restart to complete");
    }

    [Theory(Timeout = 120_000)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_assignment_that_cannot_be_read_is_answered_at_once_and_one_for_a_run_in_progress_changes_nothing(int version)
    {
        await using var hub = await ScriptedHub.StartAsync(version);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await sidecar.WaitForRunAsync("working");
        var steps = string.Join(',', Enumerable.Repeat("""{"type":"git_clean"}""", 257));

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"verification_steps":[{{steps}}]}""");
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-2","generation":3,"verification_steps":[{{steps}}]}""");

        var answer = await hub.WaitForAsync(version == 1 ? "task_failed" : "task_rejected");
        Assert.Equal(("task-2", 3), (answer.GetProperty("task_id").GetString(), answer.GetProperty("generation").GetInt32()));
        Assert.EndsWith("invalid", answer.GetProperty("reason").GetString(), StringComparison.Ordinal);
        if (version == 2)
        {
            Assert.Contains("verification_steps", answer.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Scripts.Go(_directory);
        await hub.WaitForAsync("task_complete");
        Assert.Single(hub.Of(version == 1 ? "task_failed" : "task_rejected"));
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task L32_A_run_with_half_an_emoji_in_its_metadata_is_found_again_after_a_kill()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x","metadata":{"\ud83d":"\udc00"}}""");
        await sidecar.WaitForRunAsync("working");

        sidecar.Program.Kill();
        await sidecar.StartAsync();
        Scripts.Go(_directory);

        await hub.WaitForAsync("task_complete");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_hub_takes_such_text_by_its_API_hands_it_on_lists_it_and_starts_again_with_it()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task complete --output ok");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent).StartAsync();

        var deep = await hub.AddJsonAsync($$"""{"description":"deep","metadata":{{Deep(31)}},"max_retries":0}""");
        var half = await hub.AddJsonAsync("""{"description":"x \ud83d","metadata":{"\ud83d":"\udc00","nul":"\u0000"},"max_retries":0}""");
        await hub.WaitForAsync(deep, "completed");
        await hub.WaitForAsync(half, "completed");
        hub.Kill();
        await hub.StartAsync();

        Assert.Equal("x \uFFFD", (await hub.TaskAsync(half)).GetProperty("description").GetString());
        Assert.Equal("\uFFFD", (await hub.TaskAsync(half)).GetProperty("metadata").GetProperty("\uFFFD").GetString());
        Assert.Equal(2, (await hub.GetAsync("/api/tasks")).GetProperty("count").GetInt32());
        Assert.Equal(JsonValueKind.Array, (await hub.GetAsync("/api/dashboard")).GetProperty("tasks").ValueKind);
        await Assert.ThrowsAsync<InvalidOperationException>(() => hub.AddJsonAsync($$"""{"description":"deeper","metadata":{{Deep(32)}}}"""));
    }

    private async Task<TestSidecar> StartAsync(TestHub hub, string adapter, string prints)
    {
        var program = _directory.WriteScript("program", $"case \"$*\" in *--version*) echo 2030.1.1; exit 0;; esac\ncat > /dev/null\n{prints}\n");
        var more = adapter == "openclaw" ? """, "openClaw": { "via": "agent" }""" : "";
        return await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), program, $$"""
            { "wake": { "profiles": [ { "name": "main", "adapter": "{{adapter}}", "command": ["{{program}}"], "aliveFor": "00:00:30", "retries": 0{{more}} } ] } }
            """).StartAsync();
    }

    private static string Deep(int levels) => new StringBuilder().Insert(0, "{\"a\":", levels).Append('1').Append('}', levels).ToString();
}
