namespace FleetSidecar.EndToEnd;

/// <summary>A backup of the hub that is put back is used, however the hub ended.</summary>
public sealed class HubRestoreTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000), Trait("kind", "a store that is older than what was known is taken for a damaged one")]
    public async Task A_backup_that_is_put_back_after_a_crash_has_its_tasks_and_tokens_and_says_that_it_is_older()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var (file, copy) = (Path.Combine(hub.Data, "hub.db"), _directory["copy.db"]);
        var task = await hub.AddAsync("Kept");
        await TestProgram.MustAsync("/usr/bin/sqlite3", file, $".backup {copy}");
        hub.Kill();
        await hub.StartAsync();
        var later = await hub.AddAsync("Later");
        hub.Kill();
        foreach (var name in new[] { file, $"{file}-wal", $"{file}-shm" })
        {
            File.Delete(name);
        }

        File.Copy(copy, file);
        await hub.StartAsync();

        await hub.Program.WaitForLineAsync("StoreOlder]");
        Assert.Equal("queued", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        Assert.DoesNotContain(later, (await hub.GetAsync("/api/tasks")).ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("StoreDamaged", hub.Program.Text, StringComparison.Ordinal);

        // The next start knows what is there now.
        hub.Kill();
        await hub.StartAsync();
        Assert.Equal("queued", (await hub.TaskAsync(task)).GetProperty("status").GetString());
        Assert.DoesNotContain("StoreOlder", hub.Program.Text, StringComparison.Ordinal);
    }
}
