namespace FleetSidecar.EndToEnd;

/// <summary>A sidecar that crashes again and again: connected, quiet, its agents left alone, and out of it by a word or by time.</summary>
public sealed class SafeModeTests : IDisposable
{
    private const string Loop = """{ "safeMode": { "starts": 5 }, "agent": { "maxConcurrentRuns": 2 } }""";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task L23_a_crash_loop_ends_in_safe_mode_connected_refusing_work_and_resume_ends_it()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), Loop).StartAsync();
        await hub.SendAsync(Assign(1));
        await sidecar.WaitForRunAsync("working");
        var pid = Scripts.Executions(_directory)[0].Split(' ')[0];

        await CrashAsync(sidecar, times: 4);

        await sidecar.Program.WaitForLineAsync("SafeMode]");
        await hub.WaitForBeatAsync(beat => !beat.GetProperty("available").GetBoolean()
            && beat.GetProperty("unavailable_reason").GetString()!.StartsWith("safe mode: 5 starts", StringComparison.Ordinal), "safe mode");
        await hub.SendAsync(Assign(2));
        Assert.Equal("safe_mode", (await hub.WaitForAsync("task_rejected")).GetProperty("reason").GetString());
        Assert.True(LiveProcess.Exists(pid));

        Assert.Contains("taking work again", await sidecar.CliAsync("resume"), StringComparison.Ordinal);
        await hub.WaitForBeatAsync(beat => beat.GetProperty("available").GetBoolean(), "available again");
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(2));
        await hub.WaitForAsync("task_complete", 2);
        Assert.Equal(2, Scripts.Executions(_directory).Length);

        await CrashAsync(sidecar, times: 1); // The start that was resumed counts as good.
        Assert.DoesNotContain("SafeMode]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task L23_a_start_that_was_asked_to_end_is_no_crash_and_begins_the_count_anew()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory), Loop).StartAsync();
        await CrashAsync(sidecar, times: 3);

        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());
        await sidecar.StartAsync();
        await CrashAsync(sidecar, times: 3);

        await sidecar.WaitForAvailableAsync();
        Assert.DoesNotContain("SafeMode]", sidecar.Program.Text, StringComparison.Ordinal);
        await CrashAsync(sidecar, times: 1);
        await sidecar.Program.WaitForLineAsync("SafeMode]");
    }

    [Fact(Timeout = 120_000)]
    public async Task L23_a_start_that_lasted_is_no_crash_and_safe_mode_ends_by_itself()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory),
            """{ "safeMode": { "starts": 2, "healthyAfter": "00:00:03", "leaveAfter": "00:00:01" } }""").StartAsync();

        await CrashAsync(sidecar, times: 1);
        await sidecar.Program.WaitForLineAsync("SafeMode]");
        await sidecar.Program.WaitForLineAsync("SafeModeLeft]");
        await sidecar.WaitForAvailableAsync();
        Scripts.Go(_directory);
        await hub.SendAsync(Assign(1));
        await hub.WaitForAsync("task_complete");

        await Wait.UntilAsync(() => File.ReadAllText(Path.Combine(sidecar.State, "starts.json")).TrimEnd().EndsWith("\"good\":true}]", StringComparison.Ordinal), "the start to count as healthy");
        await CrashAsync(sidecar, times: 1);
        await sidecar.WaitForAvailableAsync();
        Assert.DoesNotContain("SafeMode]", sidecar.Program.Text, StringComparison.Ordinal);
    }

    private static async Task CrashAsync(TestSidecar sidecar, int times)
    {
        for (var time = 0; time < times; time++)
        {
            sidecar.Program.Kill();
            await sidecar.StartAsync();
        }
    }

    private static string Assign(int number) => $$"""{"type":"task_assign","task_id":"task-{{number}}","generation":1,"description":"x"}""";
}
