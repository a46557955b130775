using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>The steps of a task on the built programs: what is run, how it is bounded, and that nothing of it is left.</summary>
public sealed class VerificationTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Steps_are_run_without_a_shell_and_without_secrets_and_their_output_is_kept()
    {
        var script = _directory.WriteScript("check", """
            printf '[%s]' "$@"
            env | sort > "$(dirname "$0")/seen"
            echo "token is secret-secret-token" >&2
            """);
        var report = await ReportAsync([
            new("file_exists", "README.md"), new("command", $"'{script}' '$(touch {_directory["pwned"]})' ';' 'a b'"), new("git_clean", null),
            new("tests_pass", null), new("file_contains", "README.md Origin"), new("command_succeeds", "git --version"), new("telepathy", "x"),
        ], $$"""{ "workspace": { "testCommand": ["/bin/sh", "-c", "test -f README.md"] }, "wake": { "profiles": [ { "name": "main", "command": ["AGENT"], "environment": { "PROVIDER_KEY": "sk-do-not-leak" } } ] } }""");

        Assert.Equal(["commits pass", "file_exists pass", "command pass", "git_clean pass", "tests_pass pass", "file_contains pass", "command_succeeds pass", "telepathy skipped"], Checks(report));
        Assert.Equal("skipped", report.GetProperty("verification_report").GetProperty("status").GetString());
        Assert.False(File.Exists(_directory["pwned"]));
        var seen = File.ReadAllText(_directory["seen"]);
        Assert.DoesNotContain("sk-do-not-leak", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("FLEET_NONCE", seen, StringComparison.Ordinal);
        Assert.Contains("FLEET_TASK_ID=", seen, StringComparison.Ordinal);
        var detail = report.GetProperty("verification_report").GetProperty("checks")[2].GetProperty("detail").GetString()!;
        Assert.Contains("[$(touch", detail, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-secret-token", detail, StringComparison.Ordinal);
        var log = Assert.Single(Directory.GetFiles(Path.Combine(_directory["iris-state"], "runs"), "verify-2.log", SearchOption.AllDirectories));
        Assert.Contains("[;][a b]", File.ReadAllText(log), StringComparison.Ordinal);

        var diff = report.GetProperty("result").GetProperty("diff");
        Assert.Equal((1, 1, 0, 0), (diff.GetProperty("files").GetInt32(), diff.GetProperty("insertions").GetInt32(), diff.GetProperty("deletions").GetInt32(), diff.GetProperty("deleted_files").GetInt32()));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_step_that_hangs_or_leaves_helpers_behind_ends_in_time_and_takes_them_along()
    {
        var helper = _directory.WriteScript("helper", $"setsid sleep 300 & echo $! > '{_directory["helper-pid"]}'; exit 0");
        var hang = _directory.WriteScript("hang", $"echo before; (trap '' TERM; setsid sleep 300 & echo $! > '{_directory["hang-pid"]}'; wait) & wait");

        var report = await ReportAsync([new("command", helper), new("command", hang)], """{ "workspace": { "verifyTimeout": "00:00:02" } }""");

        Assert.Equal(["commits pass", "command pass", "command fail"], Checks(report));
        Assert.Contains("no end after 00:00:02: before", report.GetProperty("verification_report").GetProperty("checks")[2].GetProperty("detail").GetString(), StringComparison.Ordinal);
        foreach (var pid in new[] { "helper-pid", "hang-pid" })
        {
            var left = File.ReadAllText(_directory[pid]).Trim();
            await Wait.UntilAsync(() => !LiveProcess.Exists(left), $"{pid} to be gone", TimeSpan.FromSeconds(2));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_program_that_the_operator_does_not_allow_is_not_run_and_the_report_does_not_pass()
    {
        var script = _directory.WriteScript("check", $"touch '{_directory["ran"]}'");

        var report = await ReportAsync([new("command", script), new("command", "git --version")], """{ "workspace": { "verifyCommands": ["git"] } }""");

        Assert.Equal(["commits pass", "command skipped", "command pass"], Checks(report));
        Assert.Equal("skipped", report.GetProperty("verification_report").GetProperty("status").GetString());
        Assert.False(File.Exists(_directory["ran"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task Killed_in_the_middle_of_a_step_the_next_process_ends_what_is_left_and_does_the_step_again()
    {
        var step = _directory.WriteScript("step", $"echo $$ >> '{_directory["steps"]}'; [ \"$(wc -l < '{_directory["steps"]}')\" -gt 1 ] || exec sleep 300");
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(origin, [new("command", step)]));
        await Wait.UntilAsync(() => File.Exists(_directory["steps"]) && File.ReadAllLines(_directory["steps"]).Length == 1, "the step to begin");
        var first = File.ReadAllLines(_directory["steps"])[0];

        sidecar.Program.Kill();
        Assert.True(LiveProcess.Exists(first));
        await sidecar.StartAsync();

        Assert.Equal(["commits pass", "command pass"], Checks(await hub.WaitForAsync("task_complete")));
        Assert.False(LiveProcess.Exists(first));
        Assert.Equal(2, File.ReadAllLines(_directory["steps"]).Length);
        Assert.Single(Scripts.Executions(_directory));
    }

    [Theory(Timeout = 120_000), Trait("kind", "what a fresh checkout gives counts as right")]
    [InlineData("first\\r\\nsecond\\r\\n", "text eol=crlf", "")]
    [InlineData("first\\r\\nsecond\\r\\n", "text", "")]
    [InlineData("$Id: 0123456789$\\n", "ident", "")]
    [InlineData("no text: \\377\\376\\n", "working-tree-encoding=UTF-16", "")]
    [InlineData("first\\r\\nsecond\\r\\n", "working-tree-encoding=nobodys", "")]
    [InlineData("first\\r\\nsecond\\r\\n", "text eol=crlf", "printf 'more\\r\\n' >>notes.bat")]
    public async Task A_workspace_whose_attributes_do_not_fit_its_files_is_clean_until_somebody_writes_in_it(string content, string attribute, string more)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""
            set -eu
            cd '{{origin.Path}}'
            git read-tree main
            put() { git update-index --add --cacheinfo 100644 "$(printf "$1" | git hash-object -w --stdin)" "$2"; }
            put '{{content}}' notes.bat; put '*.bat {{attribute}}\n' .gitattributes
            git update-ref refs/heads/main "$(git -c user.name=tester -c user.email=tester@fleet.invalid commit-tree "$(git write-tree)" -p main -m Attributes)"
            """);
        var agent = Scripts.Agent(_directory, $"echo done > done.txt; git add done.txt; git commit --quiet -m Done; {more}\nfleet-sidecar task complete");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();

        await hub.SendAsync(Assign(origin, [new("git_clean", null)]));

        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "the end");
        Assert.Equal(more.Length == 0, hub.Of("task_complete").Any());
        var workspaces = Path.Combine(_directory["iris-state"], "workspaces");
        await Wait.UntilAsync(() => Directory.GetFiles(workspaces, "fleet-workspace.json", SearchOption.AllDirectories).All(mark => File.ReadAllText(mark).Contains("\"pushed\": true", StringComparison.Ordinal)), "the look at what is left");
        Assert.Equal(more.Length > 0, (await origin.GitAsync("for-each-ref", "refs/fleet/rescue")).Length > 0);
    }

    [Theory(Timeout = 120_000), Trait("kind", "a program of others in the daemon's own process group")]
    [InlineData("kill -9 $PPID")]
    [InlineData("trap 'kill 0' EXIT")] // Test scripts end their helpers that way.
    [InlineData("kill -9 0")]
    [InlineData("kill -STOP 0")]
    public async Task A_step_that_signals_its_parent_or_its_group_ends_itself_and_not_the_daemon(string harm)
    {
        var step = _directory.WriteScript("step", harm);
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), """{ "workspace": { "verifyTimeout": "00:00:03" } }""").StartAsync();
        Scripts.Go(_directory);

        await hub.SendAsync(Assign(origin, [new("command", step)]));

        Assert.Equal("verification", (await hub.WaitForAsync("task_failed")).GetProperty("code").GetString());
        Assert.True(sidecar.Program.IsRunning);
        Assert.DoesNotContain("Stopping]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "a program of others in the daemon's own process group")]
    [InlineData("TERM")]
    [InlineData("STOP")]
    public async Task A_look_at_an_agents_program_that_signals_its_group_costs_the_look_alone(string signal)
    {
        var agent = _directory.WriteScript("agent", $"[ \"$1\" != --version ] || {{ touch '{_directory["looked"]}'; kill -{signal} 0; }}\nexec fleet-sidecar task complete");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent,
            $$"""{ "wake": { "profiles": [ { "name": "main", "adapter": "claude-code", "command": ["{{agent}}"] } ] } }""").StartAsync();

        await Wait.UntilAsync(() => hub.Of("heartbeat").Any(beat => beat.TryGetProperty("self_test", out _)), "a self-test", TimeSpan.FromSeconds(60));

        Assert.True(File.Exists(_directory["looked"]), "The program was not looked at.");
        Assert.True(sidecar.Program.IsRunning);
        Assert.Contains("iris", await sidecar.CliAsync("status"), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "what an agent put in the place of a file of ours")]
    [InlineData("mkdir -p \"$R/verify-1.log/x\" \"$R/verify-2.log/x\"")]
    [InlineData("ln -s \"$FLEET_TEST_DIR/victim\" \"$R/verify-1.log\"; mkfifo \"$R/verify-2.log\"")]
    [InlineData("mkdir -p \"$R/verify-starts/x\"")]
    public async Task A_step_counts_whatever_stands_in_the_place_of_its_log(string harm)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        _directory.Write("victim", "of the daemon");
        var agent = Scripts.Agent(_directory, $"R=$FLEET_RUN_DIR\necho done >done.txt; git add done.txt; git commit --quiet -m Done; fleet-sidecar task complete; {harm}");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent).StartAsync();

        await hub.SendAsync(Assign(origin, [new("command", "git --version"), new("command", "git --help")]));

        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "the end");
        Assert.True(hub.Of("task_complete").Any(), hub.Of("task_failed").FirstOrDefault().ToString());
        Assert.Equal(["commits pass", "command pass", "command pass"], Checks(Assert.Single(hub.Of("task_complete"))));
        Assert.Equal("of the daemon", File.ReadAllText(_directory["victim"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task Cancelling_a_task_ends_the_step_that_is_under_way()
    {
        var step = _directory.WriteScript("step", $"echo $$ > '{_directory["step-pid"]}'; exec sleep 300");
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(origin, [new("command", step)]));
        await Wait.UntilAsync(() => File.Exists(_directory["step-pid"]) && File.ReadAllText(_directory["step-pid"]).EndsWith('\n'), "the step to begin");

        await hub.SendAsync("""{"type":"task_cancelled","task_id":"task-1","generation":1,"reason":"enough"}""");

        await Wait.UntilAsync(() => !LiveProcess.Exists(File.ReadAllText(_directory["step-pid"]).Trim()), "the step to be gone");
    }

    private async Task<JsonElement> ReportAsync(Step[] steps, string settings)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        var agent = Scripts.Worker(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "secret-secret-token", agent, settings.Replace("AGENT", agent, StringComparison.Ordinal)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(origin, steps));
        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "the end");
        if (hub.Of("task_complete").Any())
        {
            return hub.Of("task_complete").Single();
        }

        // A failed task says its checks in words; the report itself is in the store.
        return (await sidecar.RunsAsync())[0];
    }

    private static string Assign(GitOrigin origin, Step[] steps) =>
        $$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x","repo":"{{origin.Path}}","verification_steps":[{{string.Join(',', steps.Select(step => $"{{\"type\":\"{step.Type}\"{(step.Target is null ? "" : $",\"target\":{TestHub.Quote(step.Target)}")}}}"))}}]}""";

    private static IEnumerable<string> Checks(JsonElement complete) =>
        complete.GetProperty("verification_report").GetProperty("checks").EnumerateArray().Select(check => $"{check.GetProperty("type")} {check.GetProperty("status")}");

    private sealed record Step(string Type, string? Target);
}
