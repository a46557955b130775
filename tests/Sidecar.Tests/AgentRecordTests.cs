using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>What the adapters read out of the recorded output of the real programs.</summary>
public sealed class AgentRecordTests
{
    private static readonly string Fixtures = Path.Combine(TestProgram.Root, "tests", "Sidecar.Tests", "Fixtures", "agents");

    [Theory]
    [InlineData("{", 200_000, true)] // Not closed: passed over at the price of a look.
    [InlineData("{\"a\"}", 9_000, true)]
    [InlineData("{\"a\"}", 20_000, false)] // Each costs a try: after so many nothing more is read.
    public void Lines_that_only_look_like_records_cost_a_bounded_number_of_tries(string line, int count, bool isRead)
    {
        var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(line + "\n", count)) + "{\"type\":\"result\",\"text\":\"a } \\\" {\"} \r\n");

        var found = JsonRead.Objects(new OutsideLines(() => new MemoryStream(text))).Select(one => one.Text("type"));

        Assert.Equal(isRead ? ["result"] : [], found);
    }

    // A failure may be in a line that is too long to be read; a turn does not succeed by mistake.
    [Theory]
    [InlineData("claude-code", "cl_stream", true, false)]
    [InlineData("claude-code", "cl_stream", false, true)]
    [InlineData("gemini", "gm_stream", true, false)]
    [InlineData("gemini", "gm_stream", false, true)]
    [InlineData("codex", "cx_ok", true, false)]
    [InlineData("codex", "cx_ok", false, false)]
    [InlineData("opencode", "op_ok", true, false)]
    [InlineData("opencode", "op_ok", false, false)]
    public void A_line_that_is_not_read_may_say_otherwise_than_the_record(string adapter, string fixture, bool behind, bool isGood)
    {
        var (record, line) = (File.ReadAllBytes(Path.Combine(Fixtures, $"{fixture}.out")), new byte[OutsideLines.LongestLine + 2]);
        line.AsSpan().Fill((byte)'x');
        (line[0], line[^1]) = ((byte)'{', (byte)'\n');
        byte[] text = behind ? [.. record, (byte)'\n', .. line] : [.. line, .. record];

        var turn = AgentAdapters.Of(new WakeProfile { Name = "main", Adapter = adapter, Command = ["/x"] })
            .ReadTurn(new WakeProfile { Name = "main", Adapter = adapter, Command = ["/x"] }, new TurnOutput(new ProcessEnd(0, 1), false, new OutsideLines(() => new MemoryStream(text)), ""))!;

        Assert.Equal((isGood, isGood ? null : FailureClass.Unknown), (turn.Ok, turn.FailureCode));
        Assert.True(isGood || turn.Reason!.Contains("is longer than the 8388608 that are read", StringComparison.Ordinal), turn.Reason);
    }

    [Theory]
    [InlineData("[gateway] closed\n")]
    [InlineData("closed } and { opened\n\n")]
    [InlineData("{\n{\n{\n")]
    public void What_OpenClaw_says_behind_its_record_takes_nothing_from_it(string more)
    {
        var text = File.ReadAllText(Path.Combine(Fixtures, "u_agent.out")).TrimEnd() + "\n" + more;
        var profile = new WakeProfile { Name = "main", Adapter = "openclaw", Command = ["/x"] };

        var turn = AgentAdapters.Of(profile).ReadTurn(profile, new TurnOutput(new ProcessEnd(0, 1), false, new OutsideLines(() => new MemoryStream(Encoding.UTF8.GetBytes(text))), ""))!;

        Assert.True(turn.Ok, turn.Reason);
    }

    [Theory]
    [InlineData("claude-code", "cl_ok", 0, null, 2279, "3a8d38e7-7bec-4dc3-a0b8-9f542c162ef0", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_stream", 0, null, 2312, "e447a8ad-efa1-4fe6-9eb6-eb3770e21711", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_streamexec", 0, null, 4471, "3a8d38e7-7bec-4dc3-a0b8-9f542c162ef7", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_exec2", 0, null, 4563, "a4ce7c8a-973c-46fc-a728-f2331c31fdae", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_resume", 0, null, 2311, "11111111-1111-4111-8111-111111111111", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_perm", 0, FailureClass.Config, 4617, "bd5e8219-6907-461b-8f74-7b5ce45a022d", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_maxturns", 1, FailureClass.AgentError, 2306, "f4122f68-e7aa-432a-b296-64fc5154c473", "claude-opus-5-5")]
    [InlineData("claude-code", "cl_nokey", 1, FailureClass.Auth, 0, "0c36f782-67de-40ff-bb90-34d9afd26284", null)]
    [InlineData("claude-code", "cl_r401", 1, FailureClass.Auth, 0, "abb424fc-bdc3-4de0-8686-73f46247cf23", null)]
    [InlineData("claude-code", "cl_r429", 1, FailureClass.RateLimited, 0, "7ea691f4-ad63-428f-b226-dd3e17a7ab10", null)]
    [InlineData("claude-code", "cl_r500", 1, FailureClass.ProviderDown, 0, "73175f13-1d33-441a-86e9-2b196ec9708f", null)]
    [InlineData("claude-code", "cl_refused2", 1, FailureClass.ProviderDown, 0, "25ec23ff-0bdd-4ad0-81d5-2862bf1f655a", null)]
    [InlineData("claude-code", "cl_sid2", 1, FailureClass.Unknown, null, null, null)]
    [InlineData("claude-code", "cl_resumebad", 1, FailureClass.Unknown, null, null, null)]
    [InlineData("codex", "cx_ok", 0, null, 1316, "01a1f796-ebf2-70b0-9772-21c74009f3ea", null)]
    [InlineData("codex", "cx_exec", 0, null, 2637, "01a1f796-ee36-7cd3-86c3-89a65974f1d2", null)]
    [InlineData("codex", "cx_resume", 0, null, 2657, "01a1f796-ebf2-70b0-9772-21c74009f3ea", null)]
    [InlineData("codex", "cx_401", 1, FailureClass.Auth, null, "01a1f797-9aa0-7c51-8eda-bf2bac369cf9", null)]
    [InlineData("codex", "cx_500", 1, FailureClass.ProviderDown, null, "01a1f797-9ccb-7c11-80e2-ff4574b732a4", null)]
    [InlineData("codex", "cx_nokey", 1, FailureClass.Auth, null, "01a1f798-8b32-73b0-a3d3-8386e07dc435", null)]
    [InlineData("codex", "cx_nogit", 1, FailureClass.Config, null, null, null)]
    [InlineData("codex", "cx_badcfg", 1, FailureClass.Config, null, null, null)]
    [InlineData("gemini", "gm_ok", 0, null, 8127, "08ef6cad-baeb-4a66-a437-f0a2e43a5138", "fake")]
    [InlineData("gemini", "gm_ok2", 0, null, 1369, "5e56a7d5-4b04-4187-bf19-71be0db1f7d3", "fake")]
    [InlineData("gemini", "gm_exec2", 0, null, 2741, "f9b154c0-3e15-473b-aeb6-b49dd88b00ac", "fake")]
    [InlineData("gemini", "gm_stream", 0, null, 1375, "00541e1d-5a2a-4efb-a655-2bd0f5c96f6d", "fake")]
    [InlineData("gemini", "gm_streamexec", 0, null, 2489, "8e1ad3e2-72d6-40d6-b342-f2fd9fe5a0c2", "fake")]
    [InlineData("gemini", "gm_stream401", 145, FailureClass.Auth, 0, "1836b468-dd2c-4acf-8477-ab703638ed0a", "gemini-2.5-flash")]
    [InlineData("gemini", "gm_401", 145, FailureClass.Auth, null, "546aadd3-9d23-4966-9c7c-bec9203a1d06", null)]
    [InlineData("gemini", "gm_401b", 1, FailureClass.Auth, null, "53d0e410-3823-4bdd-a413-7585862dc0e6", null)]
    [InlineData("gemini", "gm_500", 244, FailureClass.ProviderDown, null, null, null)]
    [InlineData("gemini", "gm_500", 1, FailureClass.ProviderDown, null, null, null)]
    [InlineData("gemini", "gm_nokey", 41, FailureClass.Auth, null, "d7869e85-0bf3-41c4-9cc5-7662c4373e0a", null)]
    [InlineData("gemini", "gm_untrusted", 55, FailureClass.Config, null, null, null)]
    [InlineData("opencode", "op_ok", 0, null, 1346, "ses_e0866ed9effeLBf2ZMXYUXLNlf", null)]
    [InlineData("opencode", "op_exec", 0, null, 2701, "ses_e0866d503ffeqlqG2WrcxoL56I", null)]
    [InlineData("opencode", "op_denied", 0, FailureClass.Config, 1251, "ses_e073be086ffeRjV4ENhyMVcciH", null)]
    [InlineData("opencode", "op_401", 0, FailureClass.Auth, null, "ses_e0861a546ffeVTBzhIW5mj3LiU", null)]
    [InlineData("opencode", "op_401", 1, FailureClass.Auth, null, "ses_e0861a546ffeVTBzhIW5mj3LiU", null)]
    [InlineData("opencode", "op_badmodel", 1, FailureClass.Unknown, null, "ses_e08606195ffeTBilhwCv0RjUOp", null)]
    [InlineData("opencode", "kl_ok", 0, null, 1414, "ses_e085cc8c3ffeAFYRTWHJbAPLjl", null)]
    [InlineData("opencode", "kl_401", 1, FailureClass.Auth, null, "ses_e085c9e7dffest7KgggFQ13syg", null)]
    [InlineData("openclaw", "u_agent", 0, null, 1237, "bc4a4448-6fa3-45f0-9900-974fd58dd0bf", "fake-1")]
    [InlineData("openclaw", "k_c1", 0, null, 1260, "c2aaa150-35c9-4f5f-a587-1f05b95ffbec", "fake-1")]
    [InlineData("openclaw", "e_exec", 0, null, 1267, "af02db0c-82b1-4e79-89e9-cfa82462c734", "fake-1")]
    [InlineData("openclaw", "r_agent", 0, FailureClass.Unknown, null, null, null)]
    [InlineData("openclaw", "t_event", 0, FailureClass.Unknown, null, null, null)]
    [InlineData("openclaw", "e_exec401", 1, FailureClass.Auth, null, "65a0ade3-c227-4b16-a097-eb701603ed26", null)]
    [InlineData("openclaw", "e_exectmo", 2, FailureClass.Timeout, null, "517f41bf-15ce-4e71-a973-569746a7e94b", "fake-1")]
    [InlineData("openclaw", "f_401", 1, FailureClass.Auth, null, null, null)]
    [InlineData("openclaw", "f_401b", 1, FailureClass.Auth, null, null, null)]
    [InlineData("openclaw", "f_timeout", 1, FailureClass.Auth, null, null, null)]
    [InlineData("openclaw", "f_500", 1, FailureClass.ProviderDown, null, null, null)]
    [InlineData("openclaw", "f_noagent", 1, FailureClass.Config, null, null, null)]
    [InlineData("openclaw", "f_badflag", 1, FailureClass.Config, null, null, null)]
    [InlineData("openclaw", "h_cron_wake", 1, FailureClass.Config, null, null, null)]
    [InlineData("openclaw", "d1_agent", 1, FailureClass.Auth, null, null, null)]
    [InlineData("openclaw", "d2_agent", 1, FailureClass.ProviderDown, null, null, null)]
    [InlineData("openclaw", "f_500", 78, FailureClass.Config, null, null, null)]
    [InlineData("openclaw", "gw_ok", 0, null, 1269, "aa378b72-e80f-4c2f-a80e-8150a90943b2", "fake-1")]
    [InlineData("openclaw", "gw_recovered", 0, null, null, "0cc16774-a9cd-4bc7-9c3a-71f0da5332b0", "fake-1")]
    [InlineData("openclaw", "gw_timeout", 2, FailureClass.Timeout, null, null, null)]
    [InlineData("openclaw", "gw_badtoken", 1, FailureClass.Auth, null, null, null)]
    [InlineData("openclaw", "gw_aborted", 2, FailureClass.Timeout, null, null, null)]
    public void A_recorded_turn_is_read_for_what_it_was(string adapter, string name, int exitCode, string? failure, int? tokens, string? session, string? model)
    {
        var turn = Read(adapter, name, exitCode);

        Assert.Equal((failure is null, failure, tokens, session, model), (turn.Ok, turn.FailureCode, (int?)turn.Tokens?.Total, turn.SessionId, turn.Model));
        Assert.Equal(turn.Ok, turn.Reason is null);
        Assert.True(turn.Output is "FAKE-OK canned completion" || !turn.Ok || name == "gw_recovered", turn.Output);
    }

    // Codex says nothing at all of a command that its sandbox refused; the commits have to show it.
    [Fact]
    public void A_sandbox_that_refused_cannot_be_told_from_a_good_turn_of_codex() => Assert.True(Read("codex", "cx_sandbox", 0).Ok);

    [Theory]
    [InlineData("claude-code")]
    [InlineData("codex")]
    [InlineData("gemini")]
    [InlineData("opencode")]
    [InlineData("openclaw")]
    public void Exit_code_0_without_a_record_is_a_failure(string adapter)
    {
        foreach (var text in new[] { "", "all done!\n", "{}\n", "{\"type\":\"result\"", "[]\n", "{\"type\":null}\n" })
        {
            var turn = Read(adapter, 0, text, "");

            Assert.False(turn.Ok);
            Assert.Contains(turn.FailureCode, FailureClass.All);
        }
    }

    [Theory]
    [InlineData("claude-code", "cl_ok")]
    [InlineData("codex", "cx_ok")]
    [InlineData("gemini", "gm_stream")]
    [InlineData("opencode", "op_ok")]
    [InlineData("openclaw", "u_agent")]
    public void A_good_record_is_not_believed_when_the_process_ended_badly_and_is_when_nobody_saw_its_end(string adapter, string name)
    {
        Assert.Equal(FailureClass.AgentError, Read(adapter, name, 1).FailureCode);
        Assert.Equal(FailureClass.OutOfMemory, Read(adapter, name, 137, outOfMemory: true).FailureCode);
        Assert.True(Read(adapter, name, null).Ok);
    }

    [Theory]
    [InlineData("claude-code", "cl_r401")]
    [InlineData("codex", "cx_401")]
    [InlineData("gemini", "gm_stream401")]
    [InlineData("opencode", "op_401")]
    [InlineData("openclaw", "f_401")]
    public void L30_A_turn_killed_for_its_memory_is_that_whatever_its_record_says(string adapter, string name) =>
        Assert.Equal(FailureClass.OutOfMemory, Read(adapter, name, 137, outOfMemory: true).FailureCode);

    [Fact]
    public void Every_recording_can_be_read_by_every_adapter_whole_or_cut_anywhere()
    {
        foreach (var file in Directory.GetFiles(Fixtures, "*.*"))
        {
            var text = File.ReadAllText(file);
            foreach (var adapter in AgentAdapters.Names.Where(name => name != "command"))
            {
                foreach (var length in new[] { text.Length, text.Length / 2, text.Length / 3, 1 })
                {
                    Assert.NotNull(Read(adapter, 0, text[..length], text[length..]));
                }
            }
        }
    }

    [Fact]
    public void Cost_provider_and_the_parts_of_the_tokens_are_read_where_they_are_told()
    {
        var claude = Read("claude-code", "cl_ok", 0);
        Assert.Equal((0.00586m, "anthropic"), (claude.CostUsd, claude.Provider));
        Assert.Equal(new TokenUse { Input = 1245, Output = 34, CacheRead = 1000, CacheWrite = 0, Total = 2279 }, claude.Tokens);

        Assert.Equal(new TokenUse { Input = 282, Output = 34, CacheRead = 1000, CacheWrite = 0, Total = 1316 }, Read("codex", "cx_ok", 0).Tokens);
        Assert.Equal(new TokenUse { Input = 1341, Output = 34, CacheRead = 0, Total = 1375 }, Read("gemini", "gm_stream", 0).Tokens);
        Assert.Equal(0.008919m, Read("opencode", "op_exec", 0).CostUsd);
    }

    private static AgentTurn Read(string adapter, string name, int? exitCode, bool outOfMemory = false) =>
        Read(adapter, exitCode, Text($"{name}.out"), Text($"{name}.err"), outOfMemory);

    private static AgentTurn Read(string adapter, int? exitCode, string output, string errors, bool outOfMemory = false)
    {
        var profile = Some.Profile();
        profile.Adapter = adapter;
        return AgentAdapters.Find(adapter)!.ReadTurn(profile, new TurnOutput(new ProcessEnd(exitCode, 1), outOfMemory, new OutsideLines(() => new MemoryStream(Encoding.UTF8.GetBytes(output))), errors))!;
    }

    private static string Text(string file) => File.Exists(Path.Combine(Fixtures, file)) ? File.ReadAllText(Path.Combine(Fixtures, file)) : "";
}
