using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Without systemd an agent may change the modes of what is the daemon's: that closes no machine and ends no loop.</summary>
[Trait("kind", "rights that were taken from the daemon's own files")]
public sealed class OwnModeTests : IDisposable
{
    // Root may do everything; without these two it is held by modes like everybody.
    private static readonly string[] HeldByModes = ["--bounding-set", "-dac_override,-dac_read_search", "--"];

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("chmod 500 .")]
    [InlineData("chmod 0 workspaces")]
    [InlineData("chmod 0 mirrors")]
    [InlineData("chmod 500 runs")]
    [InlineData("chmod 0 results logs")]
    [InlineData("chmod 400 state.db")]
    [InlineData("chmod 0 state.db-wal lock")]
    public async Task A_mode_that_an_agent_took_away_costs_no_later_task_and_no_start(string harm)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $$"""
            [ "$FLEET_TASK_ID" = task-a ] || { echo x > "$FLEET_TASK_ID"; git add --all; git commit --quiet -m New; exec fleet-sidecar task complete; }
            ( cd "$FLEET_TEST_DIR/iris-state"; {{harm}} ); fleet-sidecar task complete
            """);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent);
        using (var daemon = Start(sidecar))
        {
            await daemon.WaitForLineAsync("LinkUp]");
            await DoAsync(hub, "task-a", null);
            await DoAsync(hub, "task-b", origin);
            await daemon.SignalAsync("TERM");
            Assert.Equal(0, await daemon.EndAsync());
        }

        using var again = Start(sidecar);
        await again.WaitForLineAsync("LinkUp]");
        await DoAsync(hub, "task-c", origin);
        Assert.DoesNotContain("Died]", again.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "what is left keeps the machine closed though it could go")]
    [InlineData("rm ../fleet-workspace.json")]
    [InlineData(": >../fleet-workspace.json")]
    [InlineData("chmod 0 ../fleet-workspace.json")]
    [InlineData("rm ../fleet-workspace.json; mkdir -p ../fleet-workspace.json/deep")]
    [InlineData("rm ../fleet-workspace.json; mkfifo ../fleet-workspace.json")]
    [InlineData("ln -sf /dev/zero ../fleet-workspace.json")]
    [InlineData("ln -sf nowhere ../fleet-workspace.json")]
    [InlineData("truncate -s 50M ../fleet-workspace.json")]
    [InlineData("sed -i s/task-a/task-b/ ../fleet-workspace.json")]
    [InlineData("sed -i 's/\"repository\": \"[^\"]*\"/\"repository\": null/' ../fleet-workspace.json; sleep 3; mkdir ../../x; sed 's/run_[0-9a-f]*/x/' ../fleet-workspace.json >../../x/fleet-workspace.json")]
    [InlineData("sed -i 's/run_[0-9a-f]*/run_000000000000/' ../fleet-workspace.json")]
    [InlineData("chmod 0 ..")]
    [InlineData("chmod 0 .git/objects .git/refs .git/HEAD")]
    [InlineData("mkdir deep deep/er; echo work > deep/er/file; chmod 0 deep/er/file deep/er deep")]
    public async Task A_workspace_whose_mark_or_rights_an_agent_took_or_spoilt_is_saved_and_removed(string harm)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"echo loose > loose; {harm}; exit 3");
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "workspace": { "keepFor": "00:00:00" } }""");
        using var daemon = Start(sidecar);
        await daemon.WaitForLineAsync("LinkUp]");
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}"}""");

        await daemon.WaitForLineAsync("WorkspaceRemoved]");

        Assert.Equal("loose", (await origin.GitAsync("show", "refs/fleet/rescue/task-a/1:loose")).Trim());
    }

    [Theory(Timeout = 120_000), Trait("kind", "good work is told as failed for what git or the agent left in the clone")]
    [InlineData("chmod 0 .")]
    [InlineData("chmod -R a-x . || :")]
    [InlineData("chmod 0 .git/objects .git/refs")]
    [InlineData("git push -q origin HEAD:$(git branch --show-current); git fetch -q --depth=1 origin $(git branch --show-current); [ -s .git/shallow ]")]
    public async Task Work_that_was_committed_before_is_delivered(string last)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var server = new GitDaemon(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $"for f in 1 2; do echo x >$f; git add --all; git commit --quiet -m New; done; fleet-sidecar task complete; {last}");
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent);
        using var daemon = Start(sidecar);
        await daemon.WaitForLineAsync("LinkUp]");
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{server.AddressOf(origin)}}"}""");

        await Wait.UntilAsync(() => Ends(hub).Count > 0, "the end");

        Assert.Equal("task_complete", Ends(hub)[0].GetProperty("type").GetString());
        Assert.Equal(2, Ends(hub)[0].GetProperty("result").GetProperty("commits_ahead").GetInt32());
    }

    private static async Task DoAsync(ScriptedHub hub, string task, GitOrigin? origin)
    {
        var before = Ends(hub).Count;
        var repo = origin is null ? "" : $",\"repo\":\"{origin.Path}\"";
        for (var generation = 1; ; generation++)
        {
            var rejected = hub.Of("task_rejected").Count();
            await hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":{{generation}},"description":"x"{{repo}}}""");
            await Wait.UntilAsync(() => Ends(hub).Count > before || hub.Of("task_rejected").Count() > rejected, $"an answer to {task}");
            if (Ends(hub).Count > before)
            {
                break;
            }
        }

        Assert.Equal(("task_complete", task), (Ends(hub)[^1].GetProperty("type").GetString(), Ends(hub)[^1].GetProperty("task_id").GetString()));
    }

    private static List<JsonElement> Ends(ScriptedHub hub) => [.. hub.Of("task_complete").Concat(hub.Of("task_failed"))];

    private TestProgram Start(TestSidecar sidecar) => Environment.IsPrivilegedProcess
        ? TestProgram.Start("/usr/bin/setpriv", [.. HeldByModes, TestProgram.Sidecar, "run", "--config", sidecar.ConfigFile], directory: _directory.Path)
        : TestProgram.Start(TestProgram.Sidecar, ["run", "--config", sidecar.ConfigFile], directory: _directory.Path);
}
