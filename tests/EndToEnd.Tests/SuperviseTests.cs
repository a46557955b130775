using System.Text.Json;
using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>Processes beside the runs: resumed, bounded, never twice, left alone when somebody said so.</summary>
public sealed class SuperviseTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose()
    {
        foreach (var pid in Copies())
        {
            TestProgram.RunAsync("/bin/kill", ["-9", pid]).GetAwaiter().GetResult();
        }

        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_process_that_is_killed_comes_back_by_its_resume_command_and_the_hub_hears_of_it_once()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\", \"resumeProves\": \"00:00:00\""));
        await LivesAsync(1);
        Assert.Equal(["fresh"], Lives().Select(life => life.How));

        await KillAsync(Lives()[0].Pid);
        await LivesAsync(2);
        await KillAsync(Lives()[1].Pid);
        await LivesAsync(3);

        Assert.Equal(["fresh", "resume", "resume"], Lives().Select(life => life.How));
        await hub.WaitForBeatAsync(beat => Incidents(beat) is ["member_restarted"], "the incident, once");
        Assert.Single(Copies());
        Assert.Contains("worker  running  process", await sidecar.CliAsync("supervise", "list"), StringComparison.Ordinal);
        Assert.DoesNotContain("member ", await sidecar.CliAsync("status"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_resumed_life_that_ends_at_once_is_followed_by_a_fresh_one()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\", \"resumeProves\": \"00:00:02\""));
        await LivesAsync(1);
        await Wait.WhileAsync(() => Lives().Length == 1, "a life that is long enough to be resumed", TimeSpan.FromSeconds(3));

        await KillAsync(Lives()[0].Pid);
        await LivesAsync(2);
        await KillAsync(Lives()[1].Pid);
        await LivesAsync(3);

        Assert.Equal(["fresh", "resume", "fresh"], Lives().Select(life => life.How));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_process_that_does_not_stay_is_given_up_and_an_operator_tries_it_again()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\", \"restarts\": 3", body: "exit 1"));

        await sidecar.Program.WaitForLineAsync("MemberGivenUp]");
        await hub.WaitForBeatAsync(beat => Incidents(beat).Contains("member_given_up"), "the incident");
        Assert.Equal(3, Lives().Length);
        Assert.Contains("member    worker  GIVEN_UP", await sidecar.CliAsync("status"), StringComparison.Ordinal);
        sidecar.Program.Kill(); // Another start of the sidecar is no new window.
        await sidecar.StartAsync();
        await MemberAsync(sidecar, member => member.GetProperty("state").GetString() == "given_up", "given up still");
        Assert.Equal(3, Lives().Length);

        File.WriteAllText(_directory["stay"], "");
        await sidecar.CliAsync("supervise", "retry", "worker");
        await LivesAsync(4);

        await MemberAsync(sidecar, member => member.GetProperty("state").GetString() == "running", "running");
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["supervise", "retry", "worker", "--config", sidecar.ConfigFile]);
        Assert.Equal(1, code);
        Assert.Contains("neither down nor stuck nor given up", text, StringComparison.Ordinal);
        (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["supervise", "retry", "nobody", "--config", sidecar.ConfigFile]);
        Assert.Equal(1, code);
        Assert.Contains("there is no member 'nobody'", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_process_outlives_a_kill_of_the_sidecar_and_is_never_there_twice()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\""));
        await LivesAsync(1);

        for (var time = 0; time < 3; time++)
        {
            sidecar.Program.Kill();
            Assert.Equal([Lives()[0].Pid], Copies());
            await sidecar.StartAsync();
            await MemberAsync(sidecar, member => member.TryGetProperty("pid", out var pid) && $"{pid}" == Lives()[0].Pid, "adopted");
        }

        Assert.Single(Lives());
        sidecar.Program.Kill();
        File.WriteAllText(Path.Combine(sidecar.State, "supervise", "worker", "member.json"), "{ spoilt");
        await sidecar.StartAsync();
        await MemberAsync(sidecar, member => member.TryGetProperty("pid", out var pid) && $"{pid}" == Lives()[0].Pid, "found by its mark");
        Assert.Equal([Lives()[0].Pid], Copies());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("member_noted", 0)]
    [InlineData("member_started", 1)]
    public async Task A_crash_between_the_note_and_the_start_leaves_one_copy_in_the_end(string point, int livesAtCrash)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var crash = new CrashPoint(_directory, point);
        using var sidecar = await Create(hub, Process("\"backoff\": \"00:00:00\"")).StartAsync(crashPoint: crash);
        await crash.ReachedAsync();
        await LivesAsync(livesAtCrash);
        sidecar.Program.Kill();

        await sidecar.StartAsync();
        await MemberAsync(sidecar, member => member.GetProperty("state").GetString() == "running", "running");

        await LivesAsync(1);
        await Wait.WhileAsync(() => Lives().Length == 1, "one life", TimeSpan.FromSeconds(1.5));
        Assert.Single(Copies());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("directory", "its directory")]
    [InlineData("interpreter", "its interpreter /nonexistent/node does not exist")]
    [InlineData("program", "there is no such file")]
    public async Task A_member_that_cannot_be_started_says_which_of_directory_program_and_interpreter_is_missing(string missing, string words)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var script = _directory.WriteScript("odd.sh", "exec sleep 1000");
        if (missing == "interpreter")
        {
            File.WriteAllText(script, "#!/nonexistent/node\n");
        }

        var (program, directory) = (missing == "program" ? _directory["gone.sh"] : script, missing == "directory" ? _directory["gone"] : _directory.Path);
        using var sidecar = await StartAsync(hub, $$"""{ "name": "worker", "command": ["{{program}}"], "directory": "{{directory}}", "backoff": "00:00:00.2" }""");

        await sidecar.Program.WaitForLineAsync($"cannot start {program}: {words}");
    }

    [Fact(Timeout = 120_000)]
    public async Task What_a_dead_member_left_is_ended_before_the_next_life_begins()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\"", body: "setsid /bin/bash -c 'trap \"\" TERM; while :; do sleep 0.2; done' & exec sleep 1000"));
        await LivesAsync(1);
        await Wait.UntilAsync(() => Copies().Count() >= 2, "the helper");
        var first = Copies().ToList();

        await KillAsync(Lives()[0].Pid);
        await LivesAsync(2);

        Assert.DoesNotContain(first, LiveProcess.Exists);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("pause", "--reason", "tests")]
    [InlineData("drain", "--reason", "tests")]
    public async Task Nothing_is_restarted_while_the_machine_is_paused_or_drained(params string[] verb)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\""));
        await LivesAsync(1);
        await sidecar.CliAsync(verb[0], verb[1..]);

        await KillAsync(Lives()[0].Pid);
        await sidecar.Program.WaitForLineAsync("MemberDown]");

        await MemberAsync(sidecar, member => member.GetProperty("detail").GetString()!.Contains("not restarted", StringComparison.Ordinal), "held");
        await Wait.WhileAsync(() => Lives().Length == 1, "one life", TimeSpan.FromSeconds(1.5));
        Assert.Contains("member    worker  DOWN", await sidecar.CliAsync("status"), StringComparison.Ordinal);
        await sidecar.CliAsync("resume");
        await LivesAsync(2);
    }

    [Fact(Timeout = 120_000)]
    public async Task Nothing_is_restarted_in_safe_mode()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\""), more: """{ "safeMode": { "starts": 2 } }""");
        await LivesAsync(1);
        sidecar.Program.Kill();
        await sidecar.StartAsync();
        await sidecar.Program.WaitForLineAsync("SafeMode]");

        await KillAsync(Lives()[0].Pid);

        await MemberAsync(sidecar, member => member.TryGetProperty("detail", out var detail) && detail.GetString()!.Contains("not restarted: safe mode", StringComparison.Ordinal), "held");
        await Wait.WhileAsync(() => Lives().Length == 1, "one life", TimeSpan.FromSeconds(1.5));
        await sidecar.CliAsync("resume");
        await LivesAsync(2);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_first_cycle_after_a_start_only_observes()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\""), interval: "00:00:20");

        await MemberAsync(sidecar, member => member.GetProperty("detail").GetString()!.Contains("only observes", StringComparison.Ordinal), "observed");

        await Wait.WhileAsync(() => Lives().Length == 0, "nothing started", TimeSpan.FromSeconds(2));
        await LivesAsync(1);
    }

    [Fact(Timeout = 120_000)]
    public async Task What_a_process_prints_is_bounded_between_two_looks_at_it_too()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var output = _directory["iris-state/supervise/worker/stdout"];

        // Ten times, each after the last was noticed: by the looks at the process alone it would take ten intervals.
        var body = $"for i in 1 2 3 4 5 6 7 8 9 10; do head -c 20000000 /dev/zero; while [ $(stat -c %s '{output}') -ge 16777216 ]; do sleep 0.1; done; done; echo x >'{_directory["printed"]}'; exec sleep 1000";
        using var sidecar = await StartAsync(hub, Process("\"backoff\": \"00:00:00\"", body: body), interval: "00:00:15");

        await Wait.UntilAsync(() => File.Exists(_directory["printed"]), "ten times too much output", TimeSpan.FromMinutes(2));

        Assert.Single(Lives());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stale_heartbeat_is_told_once_and_taken_back_when_it_is_fresh()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var file = _directory.Write("beat", "");
        using var sidecar = await StartAsync(hub, Process($"\"heartbeatFile\": \"{file}\", \"heartbeatStale\": \"00:00:02\""));

        await hub.WaitForBeatAsync(beat => Incidents(beat) is ["heartbeat_stale"], "stale");
        Assert.Contains("HEARTBEAT STALE", await sidecar.CliAsync("status"), StringComparison.Ordinal);
        await Wait.WhileAsync(() => sidecar.Program.Lines.Count(line => line.Contains("HeartbeatStale]", StringComparison.Ordinal)) == 1, "one line", TimeSpan.FromSeconds(1.5));
        Assert.Single(Lives());
        _directory.Write("beat", "again");

        await sidecar.Program.WaitForLineAsync("its heartbeat is fresh again");
        await hub.WaitForBeatAsync(beat => Incidents(beat).Length == 0, "no incident any more");
    }

    [Fact(Timeout = 120_000)]
    public async Task Under_a_service_manager_it_says_that_a_process_ends_with_the_service()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await Create(hub, Process("\"backoff\": \"00:00:00\"")).StartAsync(environment: new Dictionary<string, string?> { ["INVOCATION_ID"] = "0123" });

        await sidecar.Program.WaitForLineAsync("MembersEndWithUs]");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_unit_that_failed_is_restarted_by_systemctl_and_a_refusal_names_the_rule()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        _directory.WriteScript("bin/systemctl", $$"""
            echo "$*" >> '{{_directory["asked"]}}'
            case $1 in
              show) printf 'LoadState=loaded\nActiveState=%s\nResult=exit-code\nMainPID=0\n' "$(cat '{{_directory["unit"]}}')" ;;
              restart) [ -e '{{_directory["allowed"]}}' ] || { echo 'Failed to restart x.service: Interactive authentication required.' >&2; exit 4; }; echo active > '{{_directory["unit"]}}' ;;
            esac
            """);
        _directory.Write("unit", "active");
        using var sidecar = await Create(hub, """{ "name": "gateway", "kind": "unit", "unit": "x.service", "backoff": "00:00:00.2", "restarts": 50 }""")
            .StartAsync(environment: new Dictionary<string, string?> { ["PATH"] = $"{_directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });
        await MemberAsync(sidecar, member => member.GetProperty("state").GetString() == "running", "running");

        _directory.Write("unit", "failed");
        await sidecar.Program.WaitForLineAsync("the service user may not restart x.service");
        await sidecar.Program.WaitForLineAsync("polkit");
        _directory.Write("allowed", "");

        await sidecar.Program.WaitForLineAsync("started by its systemctl");
        await MemberAsync(sidecar, member => member.GetProperty("state").GetString() == "running", "running again");
        Assert.Contains("restart --no-block --no-ask-password -- x.service", File.ReadAllLines(_directory["asked"]));
    }

    private IEnumerable<string> Copies() => LiveProcess.With($"FLEET_MEMBER={_directory.Path}/iris-state/supervise/worker#").Where(LiveProcess.Exists);

    private (string Pid, string How)[] Lives() =>
        File.Exists(_directory["lives"]) ? [.. File.ReadAllLines(_directory["lives"]).Select(line => line.Split(' ')).Select(words => (words[0], words[1]))] : [];

    private Task LivesAsync(int count) => Wait.UntilAsync(() => Lives().Length >= count, $"{count} lives");

    private static async Task KillAsync(string pid) => await TestProgram.MustAsync("/bin/kill", "-9", pid);

    private static string[] Incidents(JsonElement beat) => beat.TryGetProperty("incidents", out var incidents) ? [.. incidents.EnumerateArray().Select(one => one.GetProperty("code").GetString()!)] : [];

    private static async Task MemberAsync(TestSidecar sidecar, Func<JsonElement, bool> looks, string what) => await Wait.ForAsync(async () =>
        JsonDocument.Parse(await sidecar.CliAsync("supervise", "list", "--json")).RootElement.EnumerateArray().Any(looks) ? new object() : null, what);

    private string Process(string settings, string body = "exec sleep 1000")
    {
        var script = _directory.WriteScript("member.sh", $"echo \"$$ $1\" >> '{_directory["lives"]}'\n[ ! -e '{_directory["stay"]}' ] || exec sleep 1000\n{body}");
        return $$"""{ "name": "worker", "command": ["{{script}}", "fresh"], "resumeCommand": ["{{script}}", "resume"], {{settings}} }""";
    }

    private TestSidecar Create(ScriptedHub hub, string member, string interval = "00:00:00.3", string more = "{}")
    {
        var settings = JsonNode.Parse(more)!.AsObject();
        settings["supervise"] = JsonNode.Parse($$"""{ "interval": "{{interval}}", "members": [ {{member}} ] }""");
        return TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), settings.ToJsonString());
    }

    private Task<TestSidecar> StartAsync(ScriptedHub hub, string member, string interval = "00:00:00.3", string more = "{}") => Create(hub, member, interval, more).StartAsync();
}
