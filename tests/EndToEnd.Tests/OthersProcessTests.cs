namespace FleetSidecar.EndToEnd;

/// <summary>What an agent starts as another user (<c>sudo</c>, a set-id program) cannot be signalled by the daemon, and holds no run and no slot.</summary>
[Trait("kind", "a process that cannot be ended")]
public sealed class OthersProcessTests : IDisposable
{
    // Root without CAP_KILL may signal its own user's processes alone, as everybody else, and can still become another user.
    private static readonly string[] WithoutKill = ["--bounding-set", "-kill", "--"];
    private const string AsAnother = "setpriv --reuid 65534 --regid 65534 --clear-groups";

    private readonly TempDir _directory = new();

    public void Dispose()
    {
        foreach (var pid in LiveProcess.With("FLEET_TEST_OTHER=" + _directory.Path))
        {
            TestProgram.RunAsync("/bin/kill", ["-9", pid]).GetAwaiter().GetResult();
        }

        _directory.Dispose();
    }

    [Theory(Timeout = 180_000)]
    [InlineData("&", "task_complete")]
    [InlineData("", "task_failed")]
    public async Task A_run_ends_without_a_process_of_another_user_that_its_agent_left_or_waits_for(string how, string outcome)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs the right to start a process of another user");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var agent = Scripts.Agent(_directory, $$"""
            [ "$FLEET_TASK_ID" = task-a ] || exec fleet-sidecar task complete
            fleet-sidecar task start
            export FLEET_TEST_OTHER="$FLEET_TEST_DIR"
            {{AsAnother}} sleep 600 {{how}}
            fleet-sidecar task complete
            """);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent, """{ "deadlines": { "firstActivity": "00:00:05", "idle": "00:00:05", "wallClock": "00:00:30" } }""");
        using var daemon = TestProgram.Start("/usr/bin/setpriv", [.. WithoutKill, TestProgram.Sidecar, "run", "--config", sidecar.ConfigFile], directory: _directory.Path);
        await daemon.WaitForLineAsync("LinkUp]");
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""");

        await Wait.UntilAsync(() => hub.Of("task_complete").Any() || hub.Of("task_failed").Any(), "the end", TimeSpan.FromMinutes(2));

        Assert.True(hub.Of(outcome).Any(), daemon.Text);

        Assert.NotEmpty(LiveProcess.With("FLEET_TEST_OTHER=" + _directory.Path));
        Assert.Contains("AgentStuck]", daemon.Text, StringComparison.Ordinal);
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-b","generation":1,"description":"x"}""");
        await Wait.UntilAsync(() => hub.Of("task_complete").Any(end => end.GetProperty("task_id").GetString() == "task-b"), "the next task");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_verification_step_that_leaves_one_behind_is_a_failed_check()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs the right to start a process of another user");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var origin = await GitOrigin.CreateAsync(_directory);
        var agent = Scripts.Agent(_directory, $"printf '#!/bin/sh\\nFLEET_TEST_OTHER={_directory.Path} {AsAnother} sleep 600\\n' >check; chmod +x check; git add .; git commit -qm check; fleet-sidecar task complete");
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", agent);
        using var daemon = TestProgram.Start("/usr/bin/setpriv", [.. WithoutKill, TestProgram.Sidecar, "run", "--config", sidecar.ConfigFile], directory: _directory.Path);
        await daemon.WaitForLineAsync("LinkUp]");
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}","verification_timeout_ms":3000,"verification_steps":[{"type":"command_succeeds","target":"./check","description":"it ends"}]}""");

        var failed = await hub.WaitForAsync("task_failed");

        Assert.Contains("no end after", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("OrderBroke]", daemon.Text, StringComparison.Ordinal);
    }
}
