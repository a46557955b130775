using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;

namespace FleetSidecar.Tests;

/// <summary>The exact command line and prompt of every adapter.</summary>
public sealed class AgentCallTests
{
    [Theory]
    [InlineData("claude-code", "/opt/agent -x /ws -p --output-format stream-json --verbose --session-id 15c98fe1-SESSION")]
    [InlineData("codex", "/opt/agent exec -x /ws --skip-git-repo-check --json -")]
    [InlineData("gemini", "/opt/agent -x /ws --output-format stream-json")]
    [InlineData("opencode", "/opt/agent run -x /ws --format json")]
    public void The_prompt_goes_to_standard_input_and_the_operators_arguments_right_after_the_program_or_its_verb(string adapter, string expected)
    {
        var call = Call(adapter, "{workspace}");

        Assert.Equal(expected.Replace("15c98fe1-SESSION", ClaudeCodeAdapter.SessionId(Subject()), StringComparison.Ordinal).Split(' '), call.Command);
        Assert.True(call.PromptOnInput);
        Assert.NotNull(call.Prompt);
    }

    [Theory]
    [InlineData("agent", "/opt/agent agent -x /ws --agent main --session-key fleet-task-1-g3 --message-file /run/prompt.md --json --timeout 5400")]
    [InlineData("exec", "/opt/agent agent exec -x /ws --message-file /run/prompt.md --cwd /ws --json --timeout 5400")]
    public void OpenClaw_gets_its_message_in_a_file(string via, string expected)
    {
        var profile = Profile("openclaw", "{workspace}");
        profile.OpenClaw = new OpenClawOptions { Via = via };
        var call = AgentAdapters.Of(profile).Call(profile, Subject());

        Assert.Equal(expected.Split(' '), call.Command);
        Assert.False(call.PromptOnInput);
    }

    [Fact]
    public void The_gateway_is_spoken_to_by_our_own_program_with_the_token_in_a_file_and_keys_that_a_repeated_wake_repeats()
    {
        var profile = Profile("openclaw");
        profile.OpenClaw = new OpenClawOptions { TokenFile = "/etc/token" };

        Assert.Equal(
            ["/usr/bin/fleet-sidecar", "agent-turn", "openclaw", "--gateway", "ws://127.0.0.1:18789", "--agent", "main", "--session-key", "fleet-task-1-g3",
             "--idempotency-key", "fleet-task-1-g3-a2", "--message-file", "/run/prompt.md", "--timeout", "5400", "--token-file", "/etc/token"],
            AgentAdapters.Of(profile).Call(profile, Subject()).Command);
    }

    [Fact]
    public void A_signal_names_task_generation_nonce_and_file_and_none_of_the_tasks_words()
    {
        var profile = Profile("openclaw");
        profile.Mode = WakeMode.Signal;

        var call = AgentAdapters.Of(profile).Call(profile, Subject("SECRET WORDS $(touch x)"));

        Assert.Equal(["/opt/agent", "system", "event", "--text", call.Command[4], "--mode", "now", "--json"], call.Command);
        Assert.All(["task-1", "generation 3", "nonce-1", "/run/prompt.md"], part => Assert.Contains(part, call.Command[4], StringComparison.Ordinal));
        Assert.Contains("SECRET WORDS", call.Prompt, StringComparison.Ordinal);
        Assert.Equal(["/opt/agent", "system", "heartbeat", "last", "--json"], AgentAdapters.Of(profile).ProbeCommand(profile));
    }

    [Theory]
    [InlineData("claude-code")]
    [InlineData("codex")]
    [InlineData("gemini")]
    [InlineData("opencode")]
    [InlineData("openclaw")]
    public void No_word_of_a_task_reaches_a_command_line_and_none_of_it_can_break_the_order(string adapter)
    {
        foreach (var hostile in new[] { "$(touch x)", "'; rm -rf / #", "\"quoted\"", "a\0b", "line\nbreak\r\n", new string('x', 300_000), "--help", "`whoami`" })
        {
            foreach (var mode in new[] { WakeMode.Run, WakeMode.Signal })
            {
                var profile = Profile(adapter);
                profile.Mode = mode;
                var call = AgentAdapters.Of(profile).Call(profile, Subject(hostile));

                Assert.DoesNotContain(call.Command, word => word.Contains(hostile, StringComparison.Ordinal) || word.AsSpan().ContainsAny('\n', '\0'));
                Assert.True(call.Command.Sum(word => word.Length) < 4096);
                Assert.DoesNotContain('\0', call.Prompt!);
            }
        }
    }

    [Fact]
    public void A_claude_session_is_the_same_for_the_same_attempt_and_for_no_other()
    {
        var subject = Subject();
        var others = new[] { subject with { TaskId = "task-2" }, subject with { Generation = 4 }, subject with { Attempt = 3 } };

        Assert.Equal(ClaudeCodeAdapter.SessionId(subject), ClaudeCodeAdapter.SessionId(subject with { RunId = "run-2", Nonce = "other" }));
        Assert.Equal(4, others.Append(subject).Select(ClaudeCodeAdapter.SessionId).Distinct().Count());
        Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", ClaudeCodeAdapter.SessionId(subject));
    }

    [Theory]
    [InlineData("claude-code", "2.1.329 (Claude Code)\n", true)]
    [InlineData("claude-code", "1.0.3", false)]
    [InlineData("codex", "codex-cli 0.169.0", true)]
    [InlineData("codex", "codex-cli 0.42.0", false)]
    [InlineData("gemini", "0.61.0", true)]
    [InlineData("opencode", "1.18.33", true)]
    [InlineData("openclaw", "OpenClaw 2026.9.6 (eb377ac)", true)]
    [InlineData("openclaw", "OpenClaw 2026.1.2", false)]
    [InlineData("openclaw", "command not found", false)]
    [InlineData("openclaw", "", false)]
    public void A_version_is_good_where_the_adapter_was_tried_with_it_or_an_older_one(string adapter, string printed, bool good)
    {
        Assert.Equal(["/opt/agent", "--version"], AgentAdapters.Find(adapter)!.VersionCommand(Profile(adapter)));
        Assert.Equal(good, AgentAdapters.Find(adapter)!.CheckVersion(printed) is null);
    }

    internal static WakeSubject Subject(string description = "Add a README") => new()
    {
        Assignment = Some.Assign() with { Description = description },
        TaskId = "task-1", Generation = 3, RunId = "run-1", Nonce = "nonce-1", Attempt = 2, RunDirectory = "/run", Workspace = "/ws", TimeLimit = TimeSpan.FromMinutes(90),
        Socket = "/run/it's.sock", ResultsDirectory = "/results", SidecarProgram = "/usr/bin/fleet-sidecar",
    };

    internal static WakeProfile Profile(string adapter, params string[] extra) => new() { Name = "main", Adapter = adapter, Command = ["/opt/agent", .. extra.SelectMany(word => new[] { "-x", word })] };

    private static WakeCall Call(string adapter, params string[] extra) => AgentAdapters.Find(adapter)!.Call(Profile(adapter, extra), Subject());
}
