namespace FleetSidecar.EndToEnd;

/// <summary>A newer sidecar on the state that an older one left.</summary>
public sealed class UpgradeTests : IDisposable
{
    private const string LaterFacts = "'$.tried', '$.activity', '$.wake_repeated', '$.oom_kills_before', '$.spoke_at_unix_ms', '$.next_profile', '$.session_id', '$.turn', '$.process_state'";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_run_in_a_state_file_of_the_first_version_is_adopted_with_the_same_process_and_ends_well()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.Worker(_directory)).StartAsync();
        var task = await hub.AddAsync("Carry me over", origin.Path);
        await sidecar.WaitForRunAsync("working");
        var agent = Scripts.Executions(_directory)[0].Split(' ')[0];
        var recorder = (await sidecar.RunsAsync())[0].GetProperty("pid").GetInt32();
        sidecar.Program.Kill();

        await MakeFirstVersionAsync(Path.Combine(sidecar.State, "state.db"));
        await sidecar.StartAsync();

        await sidecar.Program.WaitForLineAsync("was working, its process is Alive: Adopt");
        var run = Assert.Single((await sidecar.RunsAsync()).EnumerateArray());
        Assert.Equal(("working", recorder), (run.GetProperty("state").GetString(), run.GetProperty("pid").GetInt32()));
        Assert.True(LiveProcess.Exists(agent));
        Assert.Empty(Directory.GetFiles(sidecar.State, "*damaged*"));
        await sidecar.CliAsync("drain"); // What the second version added is there.
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");
        await sidecar.WaitForRunAsync("settled");
        Assert.Equal(agent, Assert.Single(Scripts.Executions(_directory)).Split(' ')[0]);
    }

    // The rows that a sidecar of the first version would have, in a file made by its migration alone.
    private async Task MakeFirstVersionAsync(string path)
    {
        var migration = Path.Combine(TestProgram.Root, "src", "Sidecar", "Migrations", "0001_runs.sql");
        var script = $"""
            PRAGMA application_id = {0x464C5453};
            .read {migration}
            PRAGMA user_version = 1;
            CREATE TABLE opened (count INTEGER NOT NULL);
            ATTACH '{path}' AS now;
            INSERT INTO opened SELECT count FROM now.opened;
            INSERT INTO runs SELECT * FROM now.runs;
            INSERT INTO outbox SELECT * FROM now.outbox;
            UPDATE runs SET facts = json_remove(facts, {LaterFacts});
            SELECT 'rows', COUNT(*) FROM runs WHERE state = 'working';
            """;
        var old = _directory["first-version.db"];
        Assert.Equal("rows|1", (await TestProgram.MustAsync("/bin/sh", "-c", $"sqlite3 -bail {old} < {_directory.Write("first-version.sql", script)}")).Trim());
        Assert.DoesNotContain("tried", await TestProgram.MustAsync("/usr/bin/env", "sqlite3", old, "SELECT facts FROM runs"), StringComparison.Ordinal);
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
        File.Move(old, path, overwrite: true);
    }
}
