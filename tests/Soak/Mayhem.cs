using FleetSidecar.Testing;

namespace FleetSidecar.Soak;

/// <summary>Kills, faults of the sidecar, and cancellations at random while work goes on. No task's agent is killed twice, so that a task never runs out of attempts by our doing.</summary>
internal sealed class Mayhem(Fleet fleet, Random random)
{
    private const int Outstanding = 6;

    private static readonly string[] FaultPoints =
        ["prepare", "wake", "woken", "watch", "collect", "verify", "submit", "stop:2", "learn", "save", "witness", "receive"];

    private readonly HashSet<string> _hurt = [];

    public int Sidecars { get; private set; }

    public int Hubs { get; private set; }

    public int Both { get; private set; }

    public int Agents { get; private set; }

    /// <summary>Restarts of the sidecar with a fault point armed.</summary>
    public int Faults { get; private set; }

    /// <summary>Tasks that were cancelled and given out again at once.</summary>
    public int Retried { get; private set; }

    public async Task RunAsync(TimeSpan span)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < span)
        {
            await FeedAsync();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(100, 2500)), TimeProvider.System);
            await StrikeAsync(random.Next(14));
        }
    }

    private async Task StrikeAsync(int die)
    {
        switch (die)
        {
            case < 4:
                Sidecars++;
                fleet.Sidecar.Program.Kill();
                await fleet.RestartSidecarAsync();
                break;
            case < 6:
                Hubs++;
                fleet.Hub.Kill();
                await fleet.Hub.StartAsync();
                break;
            case < 7:
                Both++;
                fleet.Sidecar.Program.Kill();
                fleet.Hub.Kill();
                await fleet.Hub.StartAsync();
                await fleet.RestartSidecarAsync();
                break;
            case < 10:
                await KillAgentAsync();
                break;
            case < 12:
                Faults++;
                fleet.Sidecar.Program.Kill();
                await fleet.RestartSidecarAsync(FaultPoints[random.Next(FaultPoints.Length)]);
                break;
            default:
                await CancelAndRetryAsync();
                break;
        }
    }

    private async Task CancelAndRetryAsync()
    {
        var working = fleet.Executions().Where(one => LiveProcess.Exists(one.Pid)).Select(one => one.Task).Distinct().ToList();
        if (working.Count > 0)
        {
            Retried += await fleet.CancelAndRetryAsync(working[random.Next(working.Count)]) ? 1 : 0;
        }
    }

    private async Task KillAgentAsync()
    {
        var alive = fleet.Executions().Where(one => !_hurt.Contains(one.Task) && LiveProcess.Exists(one.Pid)).ToList();
        if (alive.Count > 0)
        {
            var victim = alive[random.Next(alive.Count)];
            _hurt.Add(victim.Task);
            var (code, _) = await TestProgram.RunAsync("/bin/kill", ["-9", victim.Pid]);
            Agents += code == 0 ? 1 : 0; // It may have ended meanwhile.
        }
    }

    private async Task FeedAsync()
    {
        if (await Fleet.HubAnswersAsync(() => fleet.Hub.GetAsync("/api/tasks")) is { } all)
        {
            for (var open = all.GetProperty("tasks").EnumerateArray().Count(task => !Fleet.IsFinal(task)); open < Outstanding; open++)
            {
                await fleet.AddAsync();
            }
        }
    }
}
