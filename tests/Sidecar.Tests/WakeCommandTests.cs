using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Import;

namespace FleetSidecar.Tests;

/// <summary>What a wake command of AgentCom becomes: argv where it means what its words say, a reason where it takes a shell.</summary>
public sealed class WakeCommandTests
{
    [Theory]
    [InlineData("/opt/wake ${TASK_ID}", """["/opt/wake","{taskId}"]""")]
    [InlineData("/opt/wake '${TASK_ID}' --now", """["/opt/wake","{taskId}","--now"]""")]
    [InlineData("/opt/wake \"a b\" 'c d' e\\ f", """["/opt/wake","a b","c d","e f"]""")]
    [InlineData("/opt/wake --task=\"${TASK_JSON}\"", """["/opt/wake","--task={taskFile}"]""")]
    [InlineData("/opt/wake \"Do: ${TASK_DESCRIPTION}\" ${TASK_ID}", """["/opt/wake","Do: {taskFile}","{taskId}"]""")]
    [InlineData("  /opt/wake   '|' \"&&\" '$HOME' '*' \\; ", """["/opt/wake","|","&&","$HOME","*",";"]""")]
    [InlineData("/opt/wake costs 5$", """["/opt/wake","costs","5$"]""")]
    [InlineData("/opt/wake a#b x~y", """["/opt/wake","a#b","x~y"]""")]
    [InlineData("wake-agent ''", """["/usr/local/bin/wake-agent",""]""")]
    [InlineData("./wake.sh wake.js nope.js", """["/srv/agentcom/wake.sh","/srv/agentcom/wake.js","nope.js"]""")]
    [InlineData("sh -c 'date > /tmp/woken'", """["/usr/local/bin/sh","-c","date > /tmp/woken"]""")]
    public void A_command_that_means_what_its_words_say_becomes_argv(string text, string argv)
    {
        var taken = Assert.IsType<WakeCommand.Taken>(Read(text));

        Assert.Equal(argv, Argv(taken.Profile));
        Assert.Equal("signal", taken.Profile["mode"]!.GetValue<string>()); // AgentCom waits for no more than the command's return.
        Assert.Equal("command", taken.Profile["adapter"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("openclaw agent --message \"Task: ${TASK_JSON}\" --session-id ${TASK_ID}", "openclaw run agent main", """["/usr/local/bin/openclaw"]""")]
    [InlineData("openclaw agent --agent iris --message ${TASK_JSON} --thinking high --json --timeout 600", "openclaw run agent iris", """["/usr/local/bin/openclaw","--thinking","high"]""")]
    [InlineData("openclaw agent exec --message-file - --cwd /srv", "openclaw run exec main", """["/usr/local/bin/openclaw"]""")]
    [InlineData("openclaw system event --text 'a task' --mode now", "openclaw signal", """["/usr/local/bin/openclaw"]""")]
    [InlineData("claude -p \"Task: ${TASK_JSON}\" --permission-mode bypassPermissions --output-format json", "claude-code run", """["/usr/local/bin/claude","--permission-mode","bypassPermissions"]""")]
    [InlineData("claude --append-system-prompt \"You are iris\" -p 'see the queue'", "claude-code run", """["/usr/local/bin/claude","--append-system-prompt","You are iris"]""")]
    [InlineData("codex exec --sandbox danger-full-access \"${TASK_DESCRIPTION}\"", "codex run", """["/usr/local/bin/codex","--sandbox","danger-full-access"]""")]
    [InlineData("gemini --approval-mode yolo -p ${TASK_DESCRIPTION}", "gemini run", """["/usr/local/bin/gemini","--approval-mode","yolo"]""")]
    [InlineData("opencode run -m some/model ${TASK_JSON}", "opencode run", """["/usr/local/bin/opencode","-m","some/model"]""")]
    public void A_known_agent_program_gets_its_adapter_and_keeps_its_own_options(string text, string kind, string argv)
    {
        var profile = Assert.IsType<WakeCommand.Taken>(Read(text)).Profile;

        var openClaw = profile["openClaw"];
        var words = openClaw is null ? "" : $" {openClaw["via"]} {openClaw["agent"]?.ToString() ?? "main"}";
        Assert.Equal(kind, $"{profile["adapter"]} {profile["mode"]}{words}");
        Assert.Equal(argv, Argv(profile));
    }

    [Fact]
    public void Variables_before_the_command_become_the_agents_environment()
    {
        var taken = Assert.IsType<WakeCommand.Taken>(Read("MODE=fast KEY='a b' /opt/wake ${TASK_ID}"));

        Assert.Equal("""{"MODE":"fast","KEY":"a b"}""", taken.Profile["environment"]!.ToJsonString());
        Assert.Equal("""["/opt/wake","{taskId}"]""", Argv(taken.Profile));
        Assert.DoesNotContain(taken.Notes, note => note.Contains("a b", StringComparison.Ordinal)); // It may be a secret.
    }

    [Theory]
    [InlineData("/opt/wake ${TASK_ID} | tee log", "a pipe")]
    [InlineData("/opt/wake && /opt/next", "&&")]
    [InlineData("/opt/wake || true", "||")]
    [InlineData("/opt/wake &", "in the background")]
    [InlineData("/opt/wake; date", "a second command")]
    [InlineData("/opt/wake > log", "a redirection")]
    [InlineData("/opt/wake 2>&1", "a redirection")]
    [InlineData("/opt/wake < /dev/null", "a redirection")]
    [InlineData("/opt/wake $(date)", "$(…)")]
    [InlineData("/opt/wake \"$(date)\"", "$(…)")]
    [InlineData("/opt/wake `date`", "`…`")]
    [InlineData("/opt/wake \"`date`\"", "`…`")]
    [InlineData("/opt/wake $HOME", "the variable $HOME")]
    [InlineData("/opt/wake \"${HOME}/x\"", "the variable ${HOME}")]
    [InlineData("/opt/wake ${TASK_GENERATION}", "the variable ${TASK_GENERATION}")]
    [InlineData("/opt/wake $1", "the variable $1")]
    [InlineData("/opt/wake *.json", "the pattern letter *")]
    [InlineData("/opt/wake [ab]", "the pattern letter [")]
    [InlineData("~/bin/wake ${TASK_ID}", "a home directory")]
    [InlineData("(/opt/wake)", "a group of commands")]
    [InlineData("/opt/wake # now", "a comment")]
    [InlineData("cd /srv", "'cd' is a command of the shell")]
    [InlineData("exec /opt/wake", "'exec' is a command of the shell")]
    [InlineData("/opt/wake\ndate", "a line break")]
    [InlineData("/opt/wake 'open", "is not closed")]
    [InlineData("/opt/wake \\", "ends with a backslash")]
    [InlineData("bash -lc '/opt/wake ${TASK_ID}'", "would carry them out as commands")]
    [InlineData("sh -c \"echo ${TASK_DESCRIPTION}\"", "would carry them out as commands")]
    [InlineData("openclaw cron wake --mode now", "'openclaw cron wake', which does not exist")]
    [InlineData("sh -c 'openclaw cron wake'", "'openclaw cron wake', which does not exist")]
    [InlineData("missing-program ${TASK_ID}", "the program missing-program is not there")]
    [InlineData("${TASK_ID}", "its program is not named")]
    [InlineData("A=1", "its program is not named")]
    [InlineData("/opt/wake {taskFile}", "a placeholder here")]
    [InlineData("/opt/wake \\${TASK_ID}", "a backslash stands before")]
    [InlineData("/opt/wake \uE000", "private use area")]
    [InlineData("''", "names no command")]
    public void A_command_that_takes_a_shell_or_cannot_work_is_refused_with_the_reason(string text, string reason)
    {
        var refused = Assert.IsType<WakeCommand.Refused>(Read(text));

        Assert.Contains(reason, refused.Why, StringComparison.Ordinal);
        Assert.NotEmpty(refused.Hint);
    }

    [Fact]
    public void No_text_at_all_makes_it_throw_and_nothing_that_it_takes_can_hold_one_of_their_placeholders()
    {
        var random = new Random(12);
        string[] pieces = ["${TASK_ID}", "${TASK_JSON}", "${", "}", "$", "'", "\"", "\\", " ", "/opt/wake", "openclaw", "agent", "cron", "wake", "-p", "--message", "=", "A", "\uD83D", "\uE001", "\0", "{taskId}", "|", "é", "`"];
        for (var round = 0; round < 50_000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)]));
            if (Read(text) is WakeCommand.Taken taken)
            {
                Assert.True(taken.Profile["command"]!.AsArray().All(word => !AgentComPlaceholders.IsIn(word!.GetValue<string>()) && !word.GetValue<string>().Contains("${TASK_", StringComparison.Ordinal)), text);
            }
        }
    }

    private static WakeCommand Read(string text) => WakeCommand.Read(text, new Places());

    private static string Argv(JsonObject profile) => profile["command"]!.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private sealed class Places : IPlaces
    {
        public string? Find(string program) => program switch
        {
            "missing-program" => null,
            _ when program.StartsWith('/') => program,
            _ when program.StartsWith("./", StringComparison.Ordinal) => $"/srv/agentcom/{program[2..]}",
            _ => $"/usr/local/bin/{program}",
        };

        public string? FileBeside(string word) => word == "wake.js" ? $"/srv/agentcom/{word}" : null;
    }
}
