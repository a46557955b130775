using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FleetSidecar.EndToEnd;

/// <summary><c>config import-agentcom</c>: what a machine of AgentCom has on its disk becomes a configuration that works, or a reason.</summary>
public sealed partial class ImportTests : IDisposable
{
    private const string Secret = "tok-5f2c91aa77e0d4b1";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TempDir _directory = new();

    private string Source => _directory["home/.agentcom/gcu-iris/repo/sidecar/config.json"];

    private string Progress => _directory["home/.agentcom/gcu-iris/.onboard-progress.json"];

    private string Output => _directory["new/sidecar.json"];

    private string Token => _directory["new/hub-token"];

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task What_the_onboarding_of_agentcom_left_becomes_a_configuration_that_is_valid()
    {
        Onboarded();
        var before = File.ReadAllText(Source);

        var (code, text) = await ImportAsync();

        Assert.True(code == 0, text);
        Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
        Assert.Equal((Secret, OwnerOnly), (File.ReadAllText(Token).Trim(), File.GetUnixFileMode(Token)));
        Assert.Contains("ok", await TestProgram.MustAsync(TestProgram.Sidecar, "config", "validate", "--config", Output), StringComparison.Ordinal);
        var config = JsonNode.Parse(File.ReadAllText(Output))!;
        Assert.Equal(("gcu-iris", "ws://hub.example:4000/ws", Token, "00:00:30"),
            ($"{config["agent"]!["id"]}", $"{config["hub"]!["url"]}", $"{config["hub"]!["tokenFile"]}", $"{config["deadlines"]!["confirm"]}"));
        Assert.Equal(("openclaw", "run", "agent", _directory["bin/openclaw"]),
            ($"{config["wake"]!["profiles"]![0]!["adapter"]}", $"{config["wake"]!["profiles"]![0]!["mode"]}", $"{config["wake"]!["profiles"]![0]!["openClaw"]!["via"]}", $"{config["wake"]!["profiles"]![0]!["command"]![0]}"));
        Assert.DoesNotContain(Secret, File.ReadAllText(Output), StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllText(Source));
        foreach (var (key, word) in new[] { ("hub_api_url", "left out"), ("repo_dir", "left out"), ("results_dir", "FLEET_RESULTS_DIR"), ("log_file", "journal"), ("token", "mode 600"), ("wake_command", "openclaw") })
        {
            Assert.Matches($"(?m)^{key} .*{word}", text);
        }

        Assert.Contains($"next: fleet-sidecar config validate --config {Output}", text, StringComparison.Ordinal);
        Assert.Contains("pm2 delete agentcom-gcu-iris", text, StringComparison.Ordinal);
        Assert.Contains($"the token is still in {Source} and {Progress}", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_look_writes_nothing_a_second_import_changes_nothing_and_another_file_is_not_written_over()
    {
        Onboarded();
        var (code, text) = await ImportAsync("--dry-run", "--json");
        Assert.True(code == 0, text);
        Assert.Equal("not_written", JsonDocument.Parse(text).RootElement.GetProperty("config").GetString());
        Assert.False(Directory.Exists(Path.GetDirectoryName(Output)));

        Assert.Equal(0, (await ImportAsync()).Code);
        var written = File.ReadAllText(Output);
        (code, text) = await ImportAsync("--json");
        Assert.Equal((0, "unchanged"), (code, JsonDocument.Parse(text).RootElement.GetProperty("config").GetString()));
        Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);

        File.WriteAllText(Output, "{ \"agent\": { \"id\": \"other\" } }");
        File.WriteAllText(Token, "other-token");
        (code, text) = await ImportAsync();
        Assert.Equal(78, code);
        Assert.Contains("is there already and is not what this import would write", text, StringComparison.Ordinal);
        Assert.Equal("other-token", File.ReadAllText(Token));
        Assert.Equal(0, (await ImportAsync("--force")).Code);
        Assert.Equal((written, Secret), (File.ReadAllText(Output), File.ReadAllText(Token).Trim()));
        Assert.Contains("other", File.ReadAllText($"{Output}.bak"), StringComparison.Ordinal);
        Assert.Equal(("other-token", OwnerOnly), (File.ReadAllText($"{Token}.bak").Trim(), File.GetUnixFileMode($"{Token}.bak")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("import_token", true, false)]
    [InlineData("import_config", true, true)]
    public async Task Killed_between_its_files_it_leaves_whole_ones_and_the_same_command_ends_it(string point, bool token, bool config)
    {
        Onboarded();
        var crash = new CrashPoint(_directory, point);
        using (var program = TestProgram.Start(TestProgram.Sidecar, [.. Arguments(), "--remove-token", "--crash-points"], Machine().Concat(crash.Environment).ToDictionary()))
        {
            await crash.ReachedAsync();
            program.Kill();
        }

        Assert.Equal((token, config), (File.Exists(Token), File.Exists(Output)));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Token));
        Assert.Contains(Secret, File.ReadAllText(Source), StringComparison.Ordinal);

        var (code, text) = await ImportAsync("--remove-token");
        Assert.True(code == 0, text);
        Assert.Equal(Secret, File.ReadAllText(Token).Trim());
        await TestProgram.MustAsync(TestProgram.Sidecar, "config", "validate", "--config", Output);
        Assert.DoesNotContain(Secret, File.ReadAllText(Source) + File.ReadAllText(Progress), StringComparison.Ordinal);
        Assert.Equal("gcu-iris", JsonDocument.Parse(File.ReadAllText(Source)).RootElement.GetProperty("agent_id").GetString());
        Assert.Equal(OwnerOnly | UnixFileMode.GroupRead, File.GetUnixFileMode(Source));

        (code, text) = await ImportAsync("--remove-token");
        Assert.True(code == 0, text);
        Assert.Contains("already", text, StringComparison.Ordinal);
        Assert.Equal(Secret, File.ReadAllText(Token).Trim());
    }

    [Fact(Timeout = 120_000), Trait("kind", "root acts on a name that another user may swap")]
    public async Task A_file_that_is_not_its_directorys_owners_keeps_the_token()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "giving a file away needs root");
        Onboarded();
        await TestProgram.MustAsync("/bin/chown", "12345", Path.GetDirectoryName(Source)!);

        var (code, text) = await ImportAsync("--remove-token");

        Assert.NotEqual(0, code);
        Assert.Contains("is not owned by the owner of its directory", text, StringComparison.Ordinal);
        Assert.Contains(Secret, File.ReadAllText(Source), StringComparison.Ordinal);
        Assert.Equal(Secret, File.ReadAllText(Token).Trim());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("missing", "a link that leads nowhere")]
    [InlineData("directory", "no file")]
    public async Task A_link_in_the_place_of_the_configuration_that_leads_to_no_file_is_refused_before_anything_is_written(
        string target, string reason)
    {
        Onboarded();
        Directory.CreateDirectory(_directory["directory"]);
        Directory.CreateDirectory(Path.GetDirectoryName(Output)!);
        File.CreateSymbolicLink(Output, _directory[target]);

        var (code, text) = await ImportAsync("--force");

        Assert.Equal(78, code);
        Assert.Contains(reason, text, StringComparison.Ordinal);
        Assert.False(File.Exists(Token));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_first_version_of_that_file_is_read_as_well_and_its_cron_wake_is_refused_with_the_right_profile()
    {
        const string Example = """
            { "agent_id": "gcu-iris", "token": "TOKEN", "hub_url": "http://127.0.0.1:4000", "name": "Iris", "capabilities": [], "openclaw_wake_command": "WAKE",
              "reconnect_base_ms": 1000, "reconnect_max_ms": 60000, "heartbeat_interval_ms": 30000, "queue_path": "./queue.json" }
            """;
        Write(Example.Replace("TOKEN", Secret, StringComparison.Ordinal).Replace("WAKE", "openclaw cron wake --mode now", StringComparison.Ordinal));
        var (code, text) = await ImportAsync();
        Assert.Equal(78, code);
        Assert.Contains("'openclaw cron wake', which does not exist", text, StringComparison.Ordinal);
        Assert.Contains($"--agent-command {_directory["bin/openclaw"]}", text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.GetDirectoryName(Output)));

        (code, text) = await ImportAsync("--agent-command", _directory["bin/openclaw"]);
        Assert.True(code == 0, text);
        var config = JsonNode.Parse(File.ReadAllText(Output))!;
        Assert.Equal(("Iris", "ws://127.0.0.1:4000/ws", "00:00:30", "openclaw"),
            ($"{config["agent"]!["name"]}", $"{config["hub"]!["url"]}", $"{config["hub"]!["heartbeatInterval"]}", $"{config["wake"]!["profiles"]![0]!["adapter"]}"));
        Assert.Matches("(?m)^reconnect_max_ms .*left out", text);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("""{ "agent_id": "a", "hub_url": "ws://h/ws", "wake_command": "/bin/true" }""", "'token' is missing")]
    [InlineData("""{ "agent_id": "a", "token": 7, "hub_url": "ws://h/ws", "wake_command": "/bin/true" }""", "'token' is not a text but a number")]
    [InlineData("""{ "agent_id": "a", "token": "t t", "hub_url": "ws://h/ws", "wake_command": "/bin/true" }""", "'token' is longer than 256 characters, or holds blanks")]
    [InlineData("""{ "token": "t", "hub_url": "ws://h/ws", "wake_command": "/bin/true" }""", "'agent_id' is missing")]
    [InlineData("""{ "agent_id": ["a"], "token": "t", "hub_url": "ws://h/ws" }""", "'agent_id' is not a text but a list")]
    [InlineData("""{ "agent_id": "../a", "token": "t", "hub_url": "ws://h/ws" }""", "cannot be an id here")]
    [InlineData("""{ "agent_id": "a", "token": "t", "wake_command": "/bin/true" }""", "'hub_url' is missing")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ftp://h", "wake_command": "/bin/true" }""", "is no address of a hub")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ws://u:p@h/ws", "wake_command": "/bin/true" }""", "holds a user name")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ws://h/ws" }""", "'wake_command' is empty")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ws://h/ws", "wake_command": {} }""", "'wake_command' is not a text but an object")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ws://h/ws", "wake_command": "/bin/true | cat" }""", "it needs a shell: a pipe")]
    [InlineData("""{ "agent_id": "a", "token": "t", "hub_url": "ws://h/ws", "wake_command": "FLEET_X=1 /bin/true" }""", "cannot be given to an agent")]
    [InlineData("""{ "agent_id": "\ud83d", "token": "t", "hub_url": "ws://h/ws" }""", "half of a character")]
    [InlineData("""{ "\ud83d": 1, "agent_id": "a" }""", "half of a character")]
    [InlineData("""{ "agent_id": "a", "agent_id": "b" }""", "stands there twice")]
    [InlineData("{ nonsense", "not valid JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("", "not valid JSON")]
    public async Task A_file_that_cannot_be_carried_over_is_refused_with_one_line_and_nothing_is_written(string json, string reason)
    {
        Write(json);

        var (code, text) = await ImportAsync();

        Assert.Equal(78, code);
        Assert.Contains(reason, text, StringComparison.Ordinal);
        Assert.Single(text.Trim().Split('\n'));
        Assert.False(Directory.Exists(Path.GetDirectoryName(Output)));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_mark_at_the_front_odd_values_and_unknown_keys_are_named_and_do_not_stop_it()
    {
        Write("\uFEFF" + $$"""
            { "agent_id": "gcu-iris", "token": "{{Secret}}", "hub_url": "https://hub.example", "wake_command": "wake-agent ${TASK_ID} \"${TASK_JSON}\"", "capabilities": "code",
              "confirmation_timeout_ms": 1e300, "log_level": "loud", "name": 7, "surprise": { "a": [1] }, "ollama_url": null }
            """);
        _directory.Write("home/.agentcom/gcu-iris/repo/sidecar/queue.json", """{ "active": { "task_id": "task-77" }, "recovering": null }""");

        var (code, text) = await ImportAsync();

        Assert.True(code == 0, text);
        foreach (var line in new[]
        {
            "capabilities .*left out: 'capabilities' is not a list of texts but a text", "confirmation_timeout_ms .*left out: .*out of range", "log_level .*left out", "name .*left out",
            "surprise .*left out: AgentCom's sidecar knows no such key", "queue.json .*task-77 is under way", "hub_url .*wss://hub.example/ws", "wake_command .*TASK_JSON. was text, .taskFile. is the path",
        })
        {
            Assert.Matches($"(?m)^{line}", text);
        }

        Assert.DoesNotContain("ollama_url", text, StringComparison.Ordinal);
        await TestProgram.MustAsync(TestProgram.Sidecar, "config", "validate", "--config", Output);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_token_that_is_only_in_the_agents_directory_is_found_and_one_that_differs_there_is_said()
    {
        Write("""{ "agent_id": "gcu-iris", "hub_url": "ws://127.0.0.1:4000/ws", "wake_command": "wake-agent" }""");
        _directory.Write("elsewhere/.onboard-progress.json", $$"""{ "agent_name": "gcu-iris", "token": "{{Secret}}" }""");

        Assert.Contains("'token' is missing", (await ImportAsync("--dry-run")).Text, StringComparison.Ordinal);
        Assert.Contains("is not there", (await ImportAsync("--agent-dir", _directory["gone"])).Text, StringComparison.Ordinal);
        Assert.Equal(0, (await ImportAsync("--agent-dir", _directory["elsewhere"])).Code);
        Assert.Equal(Secret, File.ReadAllText(Token).Trim());

        Write($$"""{ "agent_id": "gcu-iris", "token": "{{Secret}}", "hub_url": "ws://127.0.0.1:4000/ws", "wake_command": "wake-agent" }""");
        File.WriteAllText(Progress, """{ "token": "another-one-of-old" }""");
        var (_, text) = await ImportAsync("--dry-run");
        Assert.Contains("holds another one, which was not taken", text, StringComparison.Ordinal);
        Assert.DoesNotContain("another-one-of-old", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Whatever_lies_in_the_place_of_a_file_is_named_and_nothing_is_followed_or_waited_for()
    {
        Onboarded();
        Assert.Contains("is a directory", (await RunAsync([.. Arguments(_directory["home"])])).Text, StringComparison.Ordinal);
        Assert.Contains("is AgentCom's own file", (await RunAsync(["config", "import-agentcom", Source, "--output", Source, "--force"])).Text, StringComparison.Ordinal);
        await TestProgram.MustAsync("/usr/bin/mkfifo", _directory["pipe"]);
        Assert.Contains("is a pipe", (await RunAsync([.. Arguments(_directory["pipe"])])).Text, StringComparison.Ordinal);
        File.WriteAllBytes(_directory["huge"], new byte[(1024 * 1024) + 1]);
        Assert.Contains("longer than 1 MiB", (await RunAsync([.. Arguments(_directory["huge"])])).Text, StringComparison.Ordinal);
        Assert.Contains("cannot read", (await RunAsync([.. Arguments(_directory["gone"])])).Text, StringComparison.Ordinal);

        // A link in the token's place is replaced, not written through.
        Directory.CreateDirectory(Path.GetDirectoryName(Token)!);
        var victim = _directory.Write("victim", "precious");
        File.CreateSymbolicLink(Token, victim);
        Assert.Equal(78, (await ImportAsync()).Code);
        Assert.Equal(0, (await ImportAsync("--force")).Code);
        Assert.Equal(("precious", Secret), (File.ReadAllText(victim), File.ReadAllText(Token).Trim()));
        Assert.Null(new FileInfo(Token).LinkTarget);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_page_on_coming_from_agentcom_works_as_printed()
    {
        Onboarded("iris");
        _directory.WriteScript("bin/pm2", "echo \"$*\" >> \"$HOME/pm2\"");
        _directory.WriteScript("bin/systemctl", "echo \"$*\" >> \"$HOME/systemctl\"");
        var page = File.ReadAllText(Path.Combine(TestProgram.Root, "docs", "agentcom.md"));
        var commands = Shell().Matches(page).SelectMany(block => block.Groups["lines"].Value.Split('\n')).Where(line => line.Length > 0 && !line.StartsWith("fleet-sidecar doctor", StringComparison.Ordinal)).ToList();
        var looks = commands.FindAll(line => line.Contains("--dry-run", StringComparison.Ordinal));
        Assert.Equal(2, looks.Count);
        var environment = Machine();
        environment["PATH"] = $"{_directory["bin"]}:{Path.GetDirectoryName(TestProgram.Sidecar)}:/usr/bin:/bin";

        foreach (var command in looks.Concat(commands.Except(looks)))
        {
            var line = command + (command.Contains("import-agentcom", StringComparison.Ordinal) ? $" --output {Output}" : command.Contains("validate", StringComparison.Ordinal) ? $" --config {Output}" : "");
            var (code, text) = await TestProgram.RunAsync("/bin/sh", ["-c", line.Replace("/usr/local/bin/wake-iris", _directory["bin/wake-agent"], StringComparison.Ordinal)], environment);
            Assert.True(code == 0, $"{line}: {text}");
        }

        Assert.Equal("delete agentcom-iris", File.ReadAllText(_directory["home/pm2"]).Trim());
        Assert.Equal(Secret, File.ReadAllText(Token).Trim());
        Assert.DoesNotContain(Secret, File.ReadAllText(_directory["home/.agentcom/iris/repo/sidecar/config.json"]), StringComparison.Ordinal);
    }

    // As add-agent.js of AgentCom leaves it.
    private void Onboarded(string name = "gcu-iris")
    {
        var directory = _directory[$"home/.agentcom/{name}"];
        Write($$"""
            {
              "agent_id": "{{name}}", "token": "{{Secret}}", "hub_url": "ws://hub.example:4000/ws", "hub_api_url": "http://hub.example:4000", "repo_dir": "{{directory}}/repo", "reviewer": "",
              "wake_command": "openclaw agent --message \"Task: ${TASK_JSON}\" --session-id ${TASK_ID}", "capabilities": ["code"], "confirmation_timeout_ms": 30000,
              "results_dir": "./results", "log_file": "./sidecar.log"
            }
            """, name);
        _directory.Write($"home/.agentcom/{name}/.onboard-progress.json",
            $$"""{ "agent_name": "{{name}}", "hub_url": "http://hub.example:4000", "steps_completed": ["preflight", "register"], "token": "{{Secret}}", "hub_ws_url": "ws://hub.example:4000/ws", "default_repo": null }""");
    }

    private void Write(string json, string name = "gcu-iris")
    {
        var file = _directory.Write($"home/.agentcom/{name}/repo/sidecar/config.json", "");
        File.WriteAllText(file, json, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        File.SetUnixFileMode(file, OwnerOnly | UnixFileMode.GroupRead);
        _directory.WriteScript("bin/openclaw", "exit 0");
        _directory.WriteScript("bin/wake-agent", "exit 0");
    }

    private IEnumerable<string> Arguments(string? file = null) => ["config", "import-agentcom", file ?? Source, "--output", Output];

    private Task<(int Code, string Text)> ImportAsync(params string[] more) => RunAsync([.. Arguments(), .. more]);

    private async Task<(int Code, string Text)> RunAsync(string[] arguments) => await TestProgram.RunAsync(TestProgram.Sidecar, arguments, Machine());

    private Dictionary<string, string?> Machine() => new() { ["HOME"] = _directory["home"], ["PATH"] = $"{_directory["bin"]}:/usr/bin:/bin" };

    [GeneratedRegex(@"```sh\n(?<lines>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();
}
