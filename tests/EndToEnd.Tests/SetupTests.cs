using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>One command makes a machine part of the fleet: against the built hub, with the built daemon, without a service manager.</summary>
public sealed class SetupTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    private string ConfigFile => _directory["etc/sidecar.json"];

    private string TokenFile => _directory["etc/hub-token"];

    [Fact(Timeout = 120_000)]
    public async Task Setup_registers_writes_waits_for_the_daemon_and_proves_it_with_a_task_that_wakes_no_agent()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var setup = TestProgram.Start(TestProgram.Sidecar, await ArgumentsAsync(hub));
        await setup.WaitForLineAsync("start it with: fleet-sidecar run --config");
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", ConfigFile]);

        Assert.True(await setup.EndAsync() == 0, setup.Text + daemon.Text);

        Assert.Contains("took a task from the hub and gave it back", setup.Text, StringComparison.Ordinal);
        Assert.Contains("a no-op, no model is asked", setup.Text, StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(_directory)); // The real agent was left alone.
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(TokenFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(ConfigFile));
        var task = (await hub.GetAsync("/api/tasks")).GetProperty("tasks").EnumerateArray().Single();
        Assert.Equal("completed", task.GetProperty("status").GetString());
        Assert.Equal("iris", task.GetProperty("assigned_to").GetString());
        Assert.Equal("onboard:iris", task.GetProperty("submitted_by").GetString());
        Assert.DoesNotContain((await File.ReadAllTextAsync(TokenFile)).Trim(), setup.Text, StringComparison.Ordinal);

        // Once more: nothing to register, nothing to write, proved again; and now with the agent itself.
        Scripts.Go(_directory);
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [.. await ArgumentsAsync(hub, key: null), "--wake-agent", "--json"]);
        Assert.True(code == 0, text);
        var report = JsonDocument.Parse(text).RootElement;
        Assert.True(report.GetProperty("ok").GetBoolean());
        Assert.Equal("kept", report.GetProperty("token").GetString());
        Assert.Equal("unchanged", report.GetProperty("config").GetString());
        Assert.Equal("completed", report.GetProperty("proof").GetProperty("status").GetString());
        Assert.True(report.GetProperty("doctor").GetProperty("passed").GetBoolean());
        Assert.Single(Scripts.Executions(_directory));
        await daemon.SignalAsync("TERM");
        await daemon.EndAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_no_op_survives_a_restart_as_a_no_op_and_never_becomes_a_task_for_the_agent()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var crash = new CrashPoint(_directory, "persisted");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync(crashPoint: crash);
        await sidecar.WaitForAvailableAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"check","metadata":{"noop":true}}""");
        await crash.ReachedAsync();
        sidecar.Program.Kill();

        await sidecar.StartAsync();
        await hub.WaitForAsync("task_complete");

        Assert.Empty(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_key_that_is_wrong_an_id_that_is_taken_and_a_hub_that_is_away_are_one_line_each_and_write_nothing()
    {
        using var hub = await TestHub.StartAsync(_directory);
        await hub.TokenAsync("noah");
        var operatorKey = await hub.TokenAsync("boss", "operator");

        await RefusedAsync(1, "does not know this enrolment key", await ArgumentsAsync(hub, key: "fleet_wrong"));
        await RefusedAsync(1, "may not enrol", await ArgumentsAsync(hub, key: operatorKey));
        await RefusedAsync(1, "has an agent 'noah' already", await ArgumentsAsync(hub, agent: "noah"));
        await RefusedAsync(64, "no enrolment key was given", await ArgumentsAsync(hub, key: null));
        await RefusedAsync(64, "--agent must be", await ArgumentsAsync(hub, agent: "../x"));
        await RefusedAsync(69, "no hub answers at", [.. (await ArgumentsAsync(hub)).Select(word => word == $"http://127.0.0.1:{hub.Port}" ? $"http://127.0.0.1:{FreePort.Take()}" : word)]);
        Assert.False(Directory.Exists(_directory["etc"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task Without_an_agent_program_setup_names_the_choices_and_spends_no_enrolment()
    {
        using var hub = await TestHub.StartAsync(_directory);
        string[] arguments = [.. (await ArgumentsAsync(hub)).TakeWhile(word => word != "--agent-command"), "--no-test"];

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments, new Dictionary<string, string?> { ["PATH"] = "/nonexistent" });

        Assert.Equal(78, code);
        Assert.Contains("claude, codex, gemini, opencode, openclaw", text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["etc"]));

        _directory.WriteScript("bin/codex", "exit 0");
        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments, new Dictionary<string, string?> { ["PATH"] = _directory["bin"] });
        Assert.True(code == 0, text);
        Assert.Contains($"found {_directory["bin/codex"]}", text, StringComparison.Ordinal);
        var profile = JsonDocument.Parse(await File.ReadAllTextAsync(ConfigFile)).RootElement.GetProperty("wake").GetProperty("profiles")[0];
        Assert.Equal("codex", profile.GetProperty("adapter").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("the token is a directory")]
    [InlineData("the configuration is a directory")]
    [InlineData("the place is a file")]
    [InlineData("the program is not there")]
    [InlineData("conf.d says nonsense")]
    public async Task What_cannot_be_written_or_would_not_start_is_found_before_the_hub_gives_out_its_one_token(string what)
    {
        using var hub = await TestHub.StartAsync(_directory);
        string[] arguments = [.. await ArgumentsAsync(hub), "--no-test"];
        switch (what)
        {
            case "the token is a directory": Directory.CreateDirectory(TokenFile); break;
            case "the configuration is a directory": Directory.CreateDirectory(ConfigFile); break;
            case "the place is a file": _directory.Write("etc", ""); break;
            case "the program is not there": arguments = [.. arguments.TakeWhile(word => word != "--agent-command"), "--no-test", "--agent-command", "/nonexistent/agent"]; break;
            case "conf.d says nonsense": _directory.Write($"{Path.GetRelativePath(_directory.Path, Path.GetDirectoryName(ConfigFile)!)}/conf.d/x.json", """{ "agent": { "maxConcurrentRuns": 0 } }"""); break;
        }

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments);

        Assert.True(code == 78, $"{code} {text}");
        Assert.Empty((await hub.GetAsync("/api/agents")).GetProperty("agents").EnumerateArray());
        Assert.DoesNotContain("registered", text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("setup_token")]
    [InlineData("setup_config")]
    public async Task A_setup_that_was_killed_is_repeated_by_running_it_again(string point)
    {
        using var hub = await TestHub.StartAsync(_directory);
        string[] arguments = [.. await ArgumentsAsync(hub), "--no-test"];
        await KillAtAsync(point, arguments);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments);

        Assert.True(code == 0, text);
        Assert.Contains("is registered and its token is in", text, StringComparison.Ordinal);
        await TestProgram.MustAsync(TestProgram.Sidecar, "config", "validate", "--config", ConfigFile);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_setup_that_was_killed_before_it_had_the_token_on_disk_goes_on_with_a_token_from_the_operator()
    {
        using var hub = await TestHub.StartAsync(_directory);
        string[] arguments = [.. await ArgumentsAsync(hub), "--no-test"];
        await KillAtAsync("setup_registered", arguments);
        Assert.False(File.Exists(TokenFile));

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments);
        Assert.Equal(1, code);
        Assert.Contains("--token-file FILE", text, StringComparison.Ordinal);

        var file = _directory.Write("given", await hub.TokenAsync("iris") + "\n");
        string[] again = [.. await ArgumentsAsync(hub, key: null), "--no-test", "--token-file"];
        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [.. again, _directory.Write("other", await hub.TokenAsync("noah"))]);
        Assert.Equal(1, code);
        Assert.Contains("is that of agent noah", text, StringComparison.Ordinal);
        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [.. again, file]);
        Assert.True(code == 0, text);
        Assert.Equal(await File.ReadAllTextAsync(file), await File.ReadAllTextAsync(TokenFile));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_configuration_that_is_there_is_changed_only_by_force_and_keeps_its_other_keys()
    {
        using var hub = await TestHub.StartAsync(_directory);
        string[] arguments = [.. await ArgumentsAsync(hub), "--no-test"];
        const string Before = """{ /* ours */ "Agent": { "id": "vera", "maxConcurrentRuns": 3 }, "log": { "level": "Debug" } }""";
        _directory.Write("etc/sidecar.json", Before);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments);
        Assert.Equal(78, code);
        Assert.Contains("says something else: agent.id", text, StringComparison.Ordinal);
        Assert.Equal(Before, await File.ReadAllTextAsync(ConfigFile));

        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, [.. arguments, "--force"]);
        Assert.True(code == 0, text);
        Assert.Equal(Before, await File.ReadAllTextAsync(ConfigFile + ".bak"));
        var shown = JsonDocument.Parse(await TestProgram.MustAsync(TestProgram.Sidecar, "config", "show", "--config", ConfigFile)).RootElement;
        Assert.Equal("iris", shown.GetProperty("agent").GetProperty("id").GetString());
        Assert.Equal(3, shown.GetProperty("agent").GetProperty("maxConcurrentRuns").GetInt32());
        Assert.Equal("Debug", shown.GetProperty("log").GetProperty("level").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_key_comes_from_a_file_or_from_standard_input_and_one_in_the_command_line_is_warned_about()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var key = await hub.TokenAsync("provisioning", "enrol");

        var plain = await TestProgram.RunAsync(TestProgram.Sidecar, [.. await ArgumentsAsync(hub, key: key), "--no-test"]);
        Assert.True(plain.ExitCode == 0, plain.Text);
        Assert.Contains("every user of this machine", plain.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(key, plain.Text, StringComparison.Ordinal);

        Directory.Delete(_directory["etc"], recursive: true);
        _directory.Write("key", key + "\n");
        var words = string.Join(' ', (await ArgumentsAsync(hub, agent: "noah", key: "-")).Append("--no-test").Select(word => $"'{word}'"));
        var piped = await TestProgram.RunAsync("/bin/bash", ["-c", $"'{TestProgram.Sidecar}' {words} < '{_directory["key"]}'"]);
        Assert.True(piped.ExitCode == 0, piped.Text);
        Assert.DoesNotContain("every user", piped.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Where_systemd_runs_the_daemon_setup_restarts_its_unit_and_names_the_tokens_file()
    {
        using var hub = await TestHub.StartAsync(_directory);
        _directory.WriteScript("bin/systemctl", $"echo \"$*\" >> '{_directory["calls"]}'\ncase \"$*\" in *show*) echo LoadState=loaded;; *\" restart \"*) [ ! -e '{_directory["broken"]}' ] || {{ echo no such luck >&2; exit 1; }};; esac");
        var path = new Dictionary<string, string?> { ["PATH"] = $"{_directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" };
        string[] arguments = [.. await ArgumentsAsync(hub), "--no-test", "--unit", "fleet-test.service"];

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments, path);

        Assert.True(code == 0, text);
        Assert.Equal(["show --property=LoadState -- fleet-test.service", "reset-failed -- fleet-test.service", "restart -- fleet-test.service"],
            (await File.ReadAllLinesAsync(_directory["calls"])).Select(call => call.Replace("--no-ask-password ", "", StringComparison.Ordinal)));
        Assert.Equal(_directory["etc/hub-token"], JsonDocument.Parse(await File.ReadAllTextAsync(ConfigFile)).RootElement.GetProperty("hub").GetProperty("tokenFile").GetString());

        _directory.Write("broken", "");
        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments, path);
        Assert.Equal(1, code);
        Assert.Contains("restart fleet-test.service ended with 1: no such luck", text, StringComparison.Ordinal);
    }

    private async Task KillAtAsync(string point, string[] arguments)
    {
        var crash = new CrashPoint(_directory, point);
        using var setup = TestProgram.Start(TestProgram.Sidecar, [.. arguments, "--crash-points"], crash.Environment);
        await crash.ReachedAsync();
        setup.Kill();
    }

    private static async Task RefusedAsync(int code, string words, string[] arguments)
    {
        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments);
        Assert.True(exit == code, $"{exit}: {text}");
        Assert.Contains(words, text, StringComparison.Ordinal);
        Assert.Single(text.Split('\n'), line => line.StartsWith("fleet-sidecar: ", StringComparison.Ordinal) && !line.Contains("every user", StringComparison.Ordinal));
    }

    private async Task<string[]> ArgumentsAsync(TestHub hub, string agent = "iris", string? key = "")
    {
        var enrol = key switch
        {
            null => [],
            "" => new[] { "--enrol", $"@{_directory.Write("enrol-key", await hub.TokenAsync("provisioning", "enrol") + "\n")}" },
            _ => ["--enrol", key],
        };
        return ["setup", "--hub", $"http://127.0.0.1:{hub.Port}", .. enrol, "--agent", agent, "--config", ConfigFile, "--state", _directory["state"], "--capability", "code", "--wait", "60s",
            "--agent-command", Scripts.Worker(_directory)];
    }
}
