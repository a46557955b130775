using System.Text.Json;
using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>Panes of a real tmux, on a server of the test's own.</summary>
public sealed class SuperviseTmuxTests : IDisposable
{
    private readonly TempDir _directory = new();

    private string Socket => _directory["tmux"];

    public void Dispose()
    {
        if (File.Exists(Socket))
        {
            TmuxAsync("kill-server").GetAwaiter().GetResult();
        }

        foreach (var pid in LiveProcess.With($"FLEET_MEMBER={_directory.Path}/").Concat(LiveProcess.With($"FT_TEST={_directory.Path}/")))
        {
            TestProgram.RunAsync("/bin/kill", ["-9", pid]).GetAwaiter().GetResult();
        }

        _directory.Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_process_that_outlives_its_pane_is_ended_before_the_next_one_begins_also_where_an_operator_made_the_pane()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var member = Pane("agents:0.0", "trap '' HUP; while :; do sleep 0.1; done");
        await TmuxAsync("-f", "/dev/null", "new-session", "-d", "-s", "agents", "/usr/bin/env", $"FT_TEST={_directory.Path}/", _directory["pane.sh"], "operator");
        await LivesAsync(1);
        using var sidecar = await StartAsync(hub, member);
        await MemberAsync(sidecar, "running");
        var first = Lives()[0].Pid;

        await TmuxAsync("kill-server");
        await LivesAsync(2);

        Assert.False(LiveProcess.Exists(first));
        Assert.Equal(["operator", "resume"], Lives().Select(life => life.How));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_pane_is_made_where_there_is_none_and_is_used_again_with_the_resume_command_when_its_process_ends()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Pane("agents:2.0", "exec sleep 1000"));
        await LivesAsync(1);
        var pane = await PanesAsync();
        Assert.Equal("agents:2.0", Assert.Single(pane).Name);

        await TestProgram.MustAsync("/bin/kill", "-9", Lives()[0].Pid);
        await LivesAsync(2);

        Assert.Equal(["fresh", "resume"], Lives().Select(life => life.How));
        Assert.Equal(pane[0].Id, Assert.Single(await PanesAsync()).Id);
        await TmuxAsync("kill-server");
        await LivesAsync(3);
        Assert.Equal("agents:2.0", Assert.Single(await PanesAsync()).Name);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_server_without_a_session_has_no_pane_and_gets_one()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        await TmuxAsync("-f", "/dev/null", "start-server", ";", "set-option", "-g", "exit-empty", "off");

        using var sidecar = await StartAsync(hub, Pane("agents:2.0", "exec sleep 1000"));

        await LivesAsync(1);
        Assert.Equal("agents:2.0", Assert.Single(await PanesAsync()).Name);
    }

    [Fact(Timeout = 120_000)]
    public async Task What_goes_to_tmux_reaches_the_program_as_it_was_written()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        string[] odd = ["$(touch x)", ";", "a;", "b\\;", "it's \"so\"", "#{pane_id}", "*"];
        using var sidecar = await StartAsync(hub, Pane("agents:main.0", "shift; printf '%s\\n' \"$V\" \"$@\" > \"$0.said\"; exec sleep 1000", odd, """, "environment": { "V": "x;" }"""));
        await LivesAsync(1);
        await Wait.UntilAsync(() => File.Exists(_directory["pane.sh.said"]) && File.ReadAllLines(_directory["pane.sh.said"]).Length > odd.Length, "what it was told");

        Assert.Equal(odd.Prepend("x;"), File.ReadAllLines(_directory["pane.sh.said"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_kill_of_the_sidecar_leaves_the_pane_alone_and_makes_no_second_one()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Pane("agents:0.0", "exec sleep 1000"));
        await LivesAsync(1);

        for (var time = 0; time < 3; time++)
        {
            sidecar.Program.Kill();
            await sidecar.StartAsync();
            await MemberAsync(sidecar, "running");
        }

        Assert.Single(Lives());
        Assert.Single(await PanesAsync());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_pane_that_shows_the_same_for_so_many_cycles_is_started_anew_and_one_that_waits_is_not()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        const string Script = """
            trap '' HUP TERM
            while [ ! -e stop ]; do date +%N; sleep 0.05; done
            [ ! -e wait ] || printf 'anything else? > '
            while :; do sleep 0.05; done
            """;
        using var sidecar = await StartAsync(hub, Pane("agents:0.0", Script, more: $$""", "stuckAfterCycles": 5, "idlePattern": ">$", "directory": "{{_directory.Path}}", "backoff": "00:00:00.5" """));
        await LivesAsync(1);
        await MemberAsync(sidecar, "running");
        await Wait.WhileAsync(() => Lives().Length == 1, "no restart while it works", TimeSpan.FromSeconds(3));
        var first = Lives()[0].Pid;

        _directory.Write("stop", "");
        await sidecar.Program.WaitForLineAsync("MemberStuck]");
        await LivesAsync(2);

        Assert.False(LiveProcess.Exists(first)); // It ignores HUP and TERM: gone before the next one began.
        await hub.WaitForBeatAsync(beat => beat.TryGetProperty("incidents", out var incidents) && incidents.EnumerateArray().Any(one => one.GetProperty("code").GetString() == "member_stuck"), "stuck");
        Assert.DoesNotContain("anything else", sidecar.Program.Text, StringComparison.Ordinal);
        _directory.Write("wait", "");
        await LivesAsync(3); // The second one is stuck too; the third asks and waits.
        await MemberAsync(sidecar, "running", "waits");
        await Wait.WhileAsync(() => Lives().Length == 3, "no restart while it waits", TimeSpan.FromSeconds(3));
    }

    [Fact(Timeout = 120_000)]
    public async Task Where_tmux_does_not_answer_nobody_is_restarted()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await StartAsync(hub, Pane("agents:0.0", "exec sleep 1000"));
        await LivesAsync(1);
        await MemberAsync(sidecar, "running");
        var server = (await TmuxAsync("display-message", "-p", "#{pid}")).Trim();

        await TestProgram.MustAsync("/bin/kill", "-STOP", server);
        await sidecar.Program.WaitForLineAsync("MemberUnclear]");
        await TestProgram.MustAsync("/bin/kill", "-CONT", server);

        await MemberAsync(sidecar, "running");
        Assert.Single(Lives());
    }

    [Fact(Timeout = 120_000), Trait("kind", "one that does not answer keeps all others waiting")]
    public async Task A_server_that_does_not_answer_keeps_members_of_other_kinds_waiting_once()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var other = _directory.WriteScript("other.sh", $"echo x >> '{_directory["others"]}'; exec sleep 0.5");
        var panes = Enumerable.Range(0, 12).Select(at => Pane($"agents{at}:0.0", "exec sleep 1000").Replace("\"name\": \"pane\"", $"\"name\": \"pane{at}\"", StringComparison.Ordinal));
        using var sidecar = await StartAsync(hub, string.Join(", ", panes.Append($$"""{ "name": "other", "command": ["{{other}}"], "restarts": 100, "backoff": "00:00:00" }""")));
        await LivesAsync(12);
        var server = (await TmuxAsync("display-message", "-p", "#{pid}")).Trim();
        await TestProgram.MustAsync("/bin/kill", "-STOP", server);
        try
        {
            await sidecar.Program.WaitForLineAsync("MemberUnclear]");
            var before = File.ReadAllLines(_directory["others"]).Length;

            // One round of questions without an answer takes a minute.
            await Wait.UntilAsync(() => File.ReadAllLines(_directory["others"]).Length > before + 4, "the other member", TimeSpan.FromSeconds(45));
        }
        finally
        {
            await TestProgram.MustAsync("/bin/kill", "-CONT", server);
        }
    }

    private static async Task MemberAsync(TestSidecar sidecar, string state, string? detail = null) => await Wait.ForAsync(async () =>
        JsonDocument.Parse(await sidecar.CliAsync("supervise", "list", "--json")).RootElement.EnumerateArray().Any(member => member.GetProperty("state").GetString() == state
            && (detail is null || (member.TryGetProperty("detail", out var said) && said.GetString() == detail))) ? new object() : null, state);

    private (string Pid, string How)[] Lives() =>
        File.Exists(_directory["lives"]) ? [.. File.ReadAllLines(_directory["lives"]).Select(line => line.Split(' ')).Select(words => (words[0], words[1]))] : [];

    private Task LivesAsync(int count) => Wait.UntilAsync(() => Lives().Length >= count, $"{count} lives");

    private async Task<string> TmuxAsync(params string[] arguments) => (await TestProgram.RunAsync("/usr/bin/env", ["tmux", "-S", Socket, .. arguments])).Text;

    private async Task<(string Id, string Name)[]> PanesAsync() => [.. (await TmuxAsync("list-panes", "-a", "-F", "#{pane_id} #{session_name}:#{window_index}.#{pane_index}"))
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).Select(words => (words[0], words[1]))];

    private string Pane(string target, string body, string[]? arguments = null, string more = "")
    {
        var script = _directory.WriteScript("pane.sh", $"echo \"$$ $1\" >> '{_directory["lives"]}'\n{body}");
        string Command(string how) => JsonSerializer.Serialize<string[]>([script, how, .. arguments ?? []]);
        return $$"""{ "name": "pane", "kind": "tmux", "target": "{{target}}", "socket": "{{Socket}}", "command": {{Command("fresh")}}, "resumeCommand": {{Command("resume")}}, "resumeProves": "00:00:00", "restarts": 50{{(more.Contains("backoff", StringComparison.Ordinal) ? "" : ", \"backoff\": \"00:00:00\"")}}{{more}} }""";
    }

    private async Task<TestSidecar> StartAsync(ScriptedHub hub, string member)
    {
        Assert.SkipWhen((await TestProgram.RunAsync("/usr/bin/env", ["sh", "-c", "command -v tmux"])).ExitCode != 0, "tmux is not installed");
        return await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory),
            new JsonObject { ["supervise"] = JsonNode.Parse($$"""{ "interval": "00:00:00.3", "members": [ {{member}} ] }""") }.ToJsonString()).StartAsync();
    }
}
