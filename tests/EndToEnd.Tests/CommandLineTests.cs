namespace FleetSidecar.EndToEnd;

/// <summary>Bad input to each command: one clear line, the right exit code, and nothing changed.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000)]
    [InlineData(64, "rum", "")]
    [InlineData(64, "status", "--jsn")]
    [InlineData(64, "logs", "")]
    [InlineData(64, "task", "fail")]
    [InlineData(64, "task", "complete")]
    [InlineData(64, "task", "progress --percent 101")]
    [InlineData(64, "task", "progress --percent many")]
    [InlineData(69, "status", "--config CONFIG")]
    [InlineData(69, "runs", "--config CONFIG")]
    [InlineData(69, "logs", "run-1 --config CONFIG")]
    [InlineData(78, "status", "--config /nonexistent.json")]
    [InlineData(78, "status", "--config /")]
    [InlineData(64, "status", "--config=")]
    [InlineData(64, "pause", "--reason x --for 0s --config CONFIG")]
    [InlineData(64, "pause", "--reason x --for -1s --config CONFIG")]
    [InlineData(64, "pause", "--reason x --for 99999999999999999999d --config CONFIG")]
    [InlineData(64, "pause", "--for 1h --config CONFIG")]
    [InlineData(64, "drain", "--deadline soon --config CONFIG")]
    [InlineData(69, "pause", "--reason x --for 24:00:00 --config CONFIG")]
    [InlineData(69, "resume", "--config CONFIG")]
    [InlineData(78, "run", "--config /nonexistent.json")]
    [InlineData(78, "run", "--config CONFIG --set hub.ulr=x")]
    [InlineData(78, "run", "--config CONFIG --set nonsense")]
    [InlineData(78, "config", "validate --config CONFIG --set agent.maxConcurrentRuns=0")]
    [InlineData(78, "config", "validate --config CONFIG --set agent.maxConcurrentRuns=two")]
    [InlineData(78, "config", "validate --config CONFIG --set hub.heartbeatInterval=soon")]
    public async Task The_sidecar_answers_bad_input_with_one_line_and_the_right_code(int code, string verb, string arguments)
    {
        var config = Config();

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [verb, .. arguments.Replace("CONFIG", config, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal(code, exit);
        Assert.StartsWith("fleet-sidecar: ", Assert.Single(text.Split('\n')), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["iris-state"]));
    }

    [Theory(Timeout = 60_000)]
    [InlineData(64, "serv")]
    [InlineData(64, "serve --listen ftp://x --data DATA")]
    [InlineData(64, "serve --lease soon --data DATA")]
    [InlineData(64, "serve --listen http://nosuch.invalid:7398 --data DATA")]
    [InlineData(64, "serve --lease 5 --data DATA")]
    [InlineData(78, "serve --listen http://192.0.2.1:7199 --data OTHER")]
    [InlineData(1, "token create iris --data DATA")]
    [InlineData(64, "task add --description x --repo ext::id --data DATA")]
    [InlineData(64, "task add --description x --repo /r --branch ../.. --data DATA")]
    [InlineData(64, "task add --description x --max-retries many --data DATA")]
    [InlineData(64, "token create --data DATA")]
    [InlineData(64, "token create ../x --data DATA")]
    [InlineData(64, "token create iris --role king --data DATA")]
    [InlineData(64, "task add --data DATA")]
    [InlineData(64, "task add --description x --priority soon --data DATA")]
    [InlineData(64, "task add --description x --max-retries -1 --data DATA")]
    [InlineData(64, "task list --status lost --data DATA")]
    [InlineData(64, "task show --data DATA")]
    [InlineData(69, "task list --data DATA")]
    [InlineData(69, "task add --description x --hub http://127.0.0.1:9 --token-file TOKEN")]
    [InlineData(1, "task list --token-file /nonexistent")]
    public async Task The_hub_answers_bad_input_with_one_line_and_the_right_code(int code, string arguments)
    {
        var token = _directory.Write("token", "fleet_x");
        var line = arguments.Replace("DATA", _directory["hub"], StringComparison.Ordinal).Replace("TOKEN", token, StringComparison.Ordinal).Replace("OTHER", _directory["other"], StringComparison.Ordinal);

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Hub, line.Split(' '));

        Assert.Equal(code, exit);
        Assert.StartsWith("fleet-hub: ", Assert.Single(text.Split('\n')), StringComparison.Ordinal);
        Assert.DoesNotContain("System.", text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["hub"]));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("""{ "agnet": {} }""", "unknown key 'agnet'", "did you mean 'agent'?")]
    [InlineData("""{ "databaseFile": "x" }""", "unknown key 'databaseFile'", "config schema")]
    [InlineData("""{ "deadlines": { "all": [] } }""", "unknown key 'deadlines.all'", "config schema")]
    [InlineData("""{ "deadlines": { "wake": "7" } }""", "'deadlines.wake' has a value of the wrong form", "hh:mm:ss")]
    [InlineData("""{ "log": { "level": "Debug", "level": "Error" } }""", "a key stands there twice", "keep one of the two")]
    [InlineData("""{ "agent": { "idd": "x" } }""", "unknown key 'agent.idd'", "did you mean 'id'?")]
    [InlineData("""{ "wake": { "profiles": [ { "nam": "x" } ] } }""", "unknown key 'wake.profiles[0].nam'", "did you mean 'name'?")]
    [InlineData("""{ "hub": { "heartbeatInterval": 5 } }""", "'hub.heartbeatInterval' has a value of the wrong form", "hh:mm:ss")]
    [InlineData("""{ "hub": { "heartbeatInterval": "5" } }""", "'hub.heartbeatInterval' has a value of the wrong form", "hh:mm:ss")]
    [InlineData("""{ "hub": { "url": "http://x" } }""", "'hub.url' must be a ws:// or wss:// address", "for example")]
    [InlineData("""{ "agent": { "id": "no spaces" } }""", "'agent.id' must be", "fleet-hub token create")]
    [InlineData("""{ "agent": { "resultsDirectory": "" } }""", "'agent.resultsDirectory' must be an absolute path", "leave it out")]
    [InlineData("""{ "control": { "socket": "" } }""", "'control.socket' must be an absolute path", "leave it out")]
    [InlineData("""{ "control": { "socket": " " } }""", "'control.socket' must be an absolute path", "leave it out")]
    [InlineData("""{ "log": { "file": " " } }""", "'log.file' must be an absolute path", "leave it out")]
    [InlineData("""{ "wake": { "profiles": [null] } }""", "'wake.profiles[0]' is null", "write a value")]
    [InlineData("""{ "agent": { "name": "cut \ud83d" } }""", "half of a character", "correct it")]
    [InlineData("""{ "hub": { "tokenFile": "/nul\u0000" } }""", "a text holds NUL", "correct it")]
    [InlineData("""{ "wake": { "profiles": [] } }""", "'wake.profiles' is empty", "at least one")]
    [InlineData("""{ "wake": { "profiles": [ { "name": "x", "command": ["relative"] } ] } }""", "'wake.profiles[0].command' must begin with", "for example")]
    [InlineData("""{ "wake": { "profiles": [ { "name": "x", "command": ["/x"], "environment": { "OPTIND": "abc" } } ] } }""", "'OPTIND' cannot be given", "shell")]
    [InlineData("""{ "wake": { "profiles": [ { "name": "x", "adapter": "telepathy", "command": ["/x"] } ] } }""", "'wake.profiles[0].adapter' 'telepathy' is not known", "command")]
    [InlineData("""{ "agent": """, "line 1: not valid JSON", "bracket")]
    [InlineData("""[]""", "not a JSON object", "shipped")]
    [InlineData("""{ "agent": null }""", "'agent' has a value of the wrong form", "schema")]
    public async Task A_wrong_configuration_is_named_with_its_file_key_and_remedy(string more, string complaint, string hint)
    {
        Config();
        var added = _directory.Write("conf.d/50-more.json", more);

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", _directory["iris.json"]]);

        Assert.Equal(78, exit);
        Assert.StartsWith($"fleet-sidecar: {added}: ", text, StringComparison.Ordinal);
        Assert.Contains(complaint, text, StringComparison.Ordinal);
        Assert.Contains(hint, text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["iris-state"]));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("control", "socket", "exists and is no socket")]
    [InlineData("agent", "resultsDirectory", "exists and is no directory")]
    public async Task What_stands_at_a_path_that_the_operator_named_is_neither_removed_nor_renamed(string section, string key, string complaint)
    {
        Config();
        var precious = _directory.Write("precious", "content");
        _directory.Write("conf.d/50-more.json", $$"""{ "{{section}}": { "{{key}}": "{{precious}}" } }""");

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", _directory["iris.json"]]);

        Assert.Equal(78, exit);
        Assert.Contains($"{section}.{key}: {precious} {complaint}", text, StringComparison.Ordinal);
        Assert.Equal("content", await File.ReadAllTextAsync(precious, TestContext.Current.CancellationToken));
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Path, "*.replaced-*"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Later_sources_win_file_then_conf_d_then_environment_then_command_line()
    {
        var config = Config();
        _directory.Write("conf.d/10-a.json", """{ "agent": { "name": "from a", "capabilities": ["a"] }, /* comments and */ "log": { "level": "Debug", }, }""");
        _directory.Write("conf.d/20-b.json", """{ "agent": { "name": "from b" } }""");
        var environment = new Dictionary<string, string?> { ["FLEET_SIDECAR__Agent__MaxConcurrentRuns"] = "3", ["FLEET_SIDECAR__Agent__Capabilities"] = "x, y" };

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["config", "show", "--config", config, "--set", "agent.maxConcurrentRuns=4"], environment);

        Assert.Equal(0, exit);
        using var shown = System.Text.Json.JsonDocument.Parse(text);
        var agent = shown.RootElement.GetProperty("agent");
        Assert.Equal("from b", agent.GetProperty("name").GetString());
        Assert.Equal(4, agent.GetProperty("maxConcurrentRuns").GetInt32());
        Assert.Equal(["x", "y"], agent.GetProperty("capabilities").EnumerateArray().Select(item => item.GetString()));
        Assert.Equal("Debug", shown.RootElement.GetProperty("log").GetProperty("level").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task Every_command_has_help_and_the_schema_is_json()
    {
        foreach (var command in new[] { "", "run", "status", "runs", "workspaces", "logs", "task", "task show", "task start", "task progress", "task complete", "task fail", "task handoff", "config", "config validate", "config show", "config schema" })
        {
            var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
            Assert.Equal(0, exit);
            Assert.Contains("Usage:", text, StringComparison.Ordinal);
        }

        var schema = await TestProgram.MustAsync(TestProgram.Sidecar, "config", "schema");
        Assert.Contains("heartbeatInterval", System.Text.Json.JsonDocument.Parse(schema).RootElement.GetProperty("properties").GetProperty("hub").ToString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_second_daemon_on_the_same_state_is_turned_away_and_the_first_goes_on()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", "/bin/true").StartAsync();

        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", sidecar.ConfigFile]);

        Assert.Equal(78, exit);
        Assert.Contains("in use by another process", text, StringComparison.Ordinal);
        Assert.Equal("up", (await sidecar.StatusAsync()).GetProperty("hub").GetProperty("state").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_database_of_a_newer_version_or_of_another_program_is_left_alone()
    {
        var config = Config();
        Directory.CreateDirectory(_directory["iris-state"]);
        var database = _directory["iris-state/state.db"];
        foreach (var (statement, complaint) in new[] { ("PRAGMA user_version = 9", "belongs to another program"), ("PRAGMA application_id = 1179407443; PRAGMA user_version = 999", "written by a newer version") })
        {
            File.Delete(database);
            await TestProgram.MustAsync("/usr/bin/env", "sqlite3", database, $"{statement}; CREATE TABLE precious (x); INSERT INTO precious VALUES (1)");

            var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", config]);

            Assert.Equal(78, exit);
            Assert.Contains(complaint, text, StringComparison.Ordinal);
            Assert.Equal("1", (await TestProgram.MustAsync("/usr/bin/env", "sqlite3", database, "SELECT x FROM precious")).Trim());
        }
    }

    private string Config() => TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", "/bin/true").ConfigFile;
}
