using System.Buffers;

namespace FleetSidecar.EndToEnd;

/// <summary>What tasks and agents write reaches an operator's terminal as text and never as an order to the
/// terminal.</summary>
public sealed class TerminalTests : IDisposable
{
    // Window title, clear screen, colour, a link (OSC 8), C1 introducer, delete, direction of writing, and a return
    // that writes over the line.
    private const string Hostile = "\u001b]0;pwned\u0007\u001b[2J\u001b[31mred\u001b]8;;http://x\u0007link\u009b31m\u007f\u202egnp\u2066\rover";
    private static readonly SearchValues<char> Acting = SearchValues.Create("\u001b\u0007\u009b\u007f\u202e\u2066");

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task L59_no_verb_of_either_program_sends_a_terminal_what_a_task_or_an_agent_wrote_for_it()
    {
        using var hub = await TestHub.StartAsync(_directory);
        _directory.Write("hostile", Hostile);
        using var good = await StartAsync(hub, "iris", """
            fleet-sidecar task show
            fleet-sidecar task start
            cat "$FLEET_TEST_DIR/hostile"
            cat "$FLEET_TEST_DIR/hostile" >&2
            fleet-sidecar task progress --percent 50 --message "$(cat "$FLEET_TEST_DIR/hostile")"
            fleet-sidecar task complete --output "$(cat "$FLEET_TEST_DIR/hostile")"
            """);
        using var bad = await StartAsync(hub, "vera", "fleet-sidecar task fail --reason \"$(cat \"$FLEET_TEST_DIR/hostile\")\"");
        var done = await hub.AddJsonAsync($$"""{"description":{{TestHub.Quote(Hostile)}},"assign_to":"iris"}""");
        var failed = await hub.AddJsonAsync($$"""{"description":{{TestHub.Quote(Hostile)}},"assign_to":"vera","max_retries":0}""");
        await hub.WaitForAsync(done, "completed");
        await hub.WaitForAsync(failed, "dead_letter");
        await good.WaitForRunAsync("settled");
        await bad.WaitForRunAsync("settled");

        foreach (var (program, arguments, shows) in new (string, string[], bool)[]
        {
            (TestProgram.Sidecar, ["logs", done, "--config", good.ConfigFile], true),
            (TestProgram.Sidecar, ["logs", done, "--stderr", "--config", good.ConfigFile], true),
            (TestProgram.Sidecar, ["logs", done, "--follow", "--config", good.ConfigFile], true),
            (TestProgram.Sidecar, ["logs", Hostile, "--config", good.ConfigFile], true),
            (TestProgram.Sidecar, ["runs", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["runs", "--json", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["status", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["status", "--json", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["doctor", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["workspaces", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["supervise", "list", "--config", bad.ConfigFile], false),
            (TestProgram.Sidecar, ["supervise", "retry", Hostile, "--config", bad.ConfigFile], true),
            (TestProgram.Sidecar, ["--help"], false),
            (TestProgram.Sidecar, ["task", "complete", "--help"], false),
            (TestProgram.Hub, ["--help"], false),
            (TestProgram.Sidecar, [Hostile], true),
            (TestProgram.Sidecar, ["status", "--config", $"/{Hostile}"], true),
            (TestProgram.Sidecar, ["config", "validate", "--set", $"agent.{Hostile}=1", "--config", bad.ConfigFile], true),
            (TestProgram.Hub, ["task", "list", "--data", hub.Data], true),
            (TestProgram.Hub, ["task", "list", "--json", "--data", hub.Data], true),
            (TestProgram.Hub, ["task", "show", done, "--data", hub.Data], true),
            (TestProgram.Hub, ["task", "show", done, "--json", "--data", hub.Data], true),
            (TestProgram.Hub, ["task", "show", failed, "--data", hub.Data], true),
            (TestProgram.Hub, ["task", "show", Hostile, "--data", hub.Data], false),
            (TestProgram.Hub, ["task", "retry", done, "--data", hub.Data], false),
            (TestProgram.Hub, ["task", "retry", failed, "--data", hub.Data], false),
        })
        {
            var (_, text) = await Pty.RunAsync(program, arguments);

            Assert.True(text.Length > 0, string.Join(' ', arguments));
            Assert.True(text.AsSpan().IndexOfAny(Acting) < 0, $"{string.Join(' ', arguments)} sent: {Uri.EscapeDataString(text)}");
            Assert.DoesNotMatch("(?m)^over", text); // The harness takes a return for the end of a line.
            Assert.True(!shows || text.Contains("\\u202e", StringComparison.Ordinal), $"{string.Join(' ', arguments)} does not show what was there: {text}");
        }

        // Log lines are read on terminals, too.
        foreach (var text in new[] { good.Program.Text, bad.Program.Text, hub.Program.Text, await LogAsync(good.State), await LogAsync(hub.Data) })
        {
            Assert.True(text.AsSpan().IndexOfAny(Acting) < 0, Uri.EscapeDataString(text));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Whoever_asks_for_the_bytes_gets_them_by_raw_or_into_a_file()
    {
        using var hub = await TestHub.StartAsync(_directory);
        _directory.Write("hostile", Hostile);
        using var sidecar = await StartAsync(hub, "iris", "fleet-sidecar task start\ncat \"$FLEET_TEST_DIR/hostile\"\nfleet-sidecar task complete --output x");
        var task = await hub.AddJsonAsync($$"""{"description":{{TestHub.Quote(Hostile)}},"assign_to":"iris"}""");
        await hub.WaitForAsync(task, "completed");

        string[] logs = ["logs", task, "--config", sidecar.ConfigFile], show = ["task", "show", task, "--data", hub.Data];
        var (_, terminal) = await Pty.RunAsync(TestProgram.Sidecar, [.. logs, "--raw"]);
        Assert.Contains("\u001b]0;pwned\u0007\u001b[2J", terminal, StringComparison.Ordinal);
        Assert.Contains("\u001b[31mred", (await Pty.RunAsync(TestProgram.Hub, [.. show, "--raw"])).Text, StringComparison.Ordinal);

        var (_, file) = await TestProgram.RunAsync("/bin/sh", ["-c", "\"$0\" \"$@\" > \"$OUT\"", TestProgram.Sidecar, .. logs], new Dictionary<string, string?> { ["OUT"] = _directory["out"] });
        Assert.Equal("", file);
        Assert.Equal(await File.ReadAllBytesAsync(_directory["hostile"]), await File.ReadAllBytesAsync(_directory["out"]));

        // A table stays clean wherever it goes.
        Assert.DoesNotContain("\u001b", await TestProgram.MustAsync(TestProgram.Hub, show), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_task_cannot_write_lines_that_pass_for_its_history()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var task = await hub.AddAsync("x\n  12:00:00.000  completed      all is well");

        var text = await TestProgram.MustAsync(TestProgram.Hub, "task", "show", task, "--data", hub.Data);

        Assert.DoesNotMatch(@"(?m)^  12:00:00\.000  completed", text);
        Assert.Matches(@"(?m)^        \|   12:00:00\.000  completed", text);
    }

    private async Task<TestSidecar> StartAsync(TestHub hub, string name, string script) =>
        await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync(name), Scripts.Agent(_directory, script, $"{name}.sh"),
            $$"""{ "log": { "level": "Debug" }, "control": { "socket": "{{_directory[$"{name}-run/control.sock"]}}" } }""", name).StartAsync();

    private static async Task<string> LogAsync(string directory) => await File.ReadAllTextAsync(Directory.GetFiles(Path.Combine(directory, "logs")).Single());
}
