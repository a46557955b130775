namespace FleetSidecar.EndToEnd;

/// <summary>A store that somebody else holds, or that takes no commit: agents are ended at their deadline all the same.</summary>
[Trait("kind", "a decision that cannot be stored is not acted on")]
public sealed class StoreLockTests : WorkspaceTests
{
    private const string Assign = """{"type":"task_assign","task_id":"task-a","generation":1,"description":"x"}""";

    private const string Locks = """
        fleet-sidecar task start
        ( echo 'BEGIN IMMEDIATE;'; echo "SELECT 'held';"; sleep 30 ) | exec sqlite3 "$FLEET_TEST_DIR/iris-state/state.db" > "$FLEET_TEST_DIR/held"
        """;

    [Fact(Timeout = 120_000)]
    public async Task L36_an_agent_that_locks_the_store_is_ended_and_the_machine_works_on()
    {
        await StartAsync(Locks + "\nexit 3");
        await Hub.SendAsync(Assign);

        await Sidecar.Program.WaitForLineAsync("StoreHolderEnded]");

        await Hub.WaitForAsync("task_failed", limit: TimeSpan.FromSeconds(60));
        await Sidecar.WaitForAvailableAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task L36_a_start_gets_by_an_agent_that_has_locked_the_store()
    {
        await StartAsync(Locks + "\nexit 3");
        await Hub.SendAsync(Assign);
        await Wait.UntilAsync(() => File.Exists(Scene["held"]) && new FileInfo(Scene["held"]).Length > 0, "the lock");
        Sidecar.Program.Kill();

        await Sidecar.StartAsync();

        await Hub.WaitForAsync("task_failed", limit: TimeSpan.FromSeconds(60));
        await Sidecar.WaitForAvailableAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_start_gets_by_an_agent_that_has_taken_the_lock_of_the_state_directory()
    {
        await StartAsync("""
            fleet-sidecar task start
            set +e; exec 9<>"$FLEET_TEST_DIR/iris-state/lock"; until flock -n 9; do sleep 0.01; done; touch "$FLEET_TEST_DIR/held"; sleep 30; exit 3
            """);
        await Hub.SendAsync(Assign);
        await Sidecar.WaitForStatusAsync(status => status.GetProperty("runs").GetArrayLength() == 1 && status.GetProperty("runs")[0].GetProperty("state").GetString() == "working", "the run to be working");
        Sidecar.Program.Kill();
        await Wait.UntilAsync(() => File.Exists(Scene["held"]), "the lock");

        await Sidecar.StartAsync();

        await Hub.WaitForAsync("task_failed", limit: TimeSpan.FromSeconds(60));
    }

    [Fact(Timeout = 120_000)]
    public async Task L36_a_deadline_ends_an_agent_while_somebody_else_keeps_the_store()
    {
        await StartAsync("""
            fleet-sidecar task start; echo $$ > "$FLEET_TEST_DIR/pid"; exec sleep 300
            """, """{ "deadlines": { "wallClock": "00:00:06" } }""");
        await Hub.SendAsync(Assign);
        await Wait.UntilAsync(() => File.Exists(Scene["pid"]) && File.ReadAllText(Scene["pid"]).EndsWith('\n'), "the agent");
        await Sidecar.WaitForStatusAsync(status => status.GetProperty("runs")[0].GetProperty("state").GetString() == "working", "the run to be working");
        var agent = (await File.ReadAllTextAsync(Scene["pid"])).Trim();
        using var holder = Scripts.HoldDatabase(Scene);
        await holder.WaitForLineAsync("held");

        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent to be gone", TimeSpan.FromSeconds(40));

        Assert.Contains("StoppedWithoutStore]", Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("StoreRecovered]", Sidecar.Program.Text, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Scene["release"], "");
        Assert.Contains("wall_clock", (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString(), StringComparison.Ordinal);
    }
}
