using System.Globalization;
using FleetSidecar.Testing;

namespace FleetSidecar.Bench;

/// <summary>From the hub's push to the first instruction of the agent: one task at a time, without a repository, recorder in place.</summary>
internal static class WakeLatency
{
    private const int Warmup = 30, Rounds = 200;

    public static async Task<string> MeasureAsync(TempDir directory, string program, string stamp, string name, TimeSpan pause)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = Start(directory, hub, program, stamp, name);
        await hub.WaitForAsync("heartbeat");
        var completed = new SemaphoreSlim(0);
        hub.Answer = frame =>
        {
            if (frame.GetProperty("type").GetString() == "task_complete")
            {
                completed.Release();
            }

            return null;
        };
        var latencies = new List<double>();
        for (var round = 1; round <= Warmup + Rounds; round++)
        {
            var frame = $$"""{"type":"task_assign","task_id":"task-{{pause.Milliseconds}}-{{round}}","description":"stamp","generation":1}""";
            var before = TimeProvider.System.GetTimestamp();
            await hub.SendAsync(frame);
            await completed.WaitAsync(TimeSpan.FromSeconds(30));
            var stamped = long.Parse(await File.ReadAllTextAsync(directory[$"stamps/task-{pause.Milliseconds}-{round}"]), CultureInfo.InvariantCulture);
            await Pace.WaitAsync(pause);
            if (round > Warmup)
            {
                latencies.Add((stamped - before) / 1e6);
            }
        }

        return $"{name}: hub push until the agent's first instruction, {Pace.Name(pause)} | {Figures.Milliseconds(latencies)}";
    }

    /// <param name="directory">Where everything lies.</param>
    /// <param name="hub">Whom to dial.</param>
    /// <param name="program">The sidecar.</param>
    /// <param name="stamp">The agent.</param>
    /// <param name="name">The program's name in the table.</param>
    /// <param name="state">State to start on; a new one where null.</param>
    public static TestProgram Start(TempDir directory, ScriptedHub hub, string program, string stamp, string name, string? state = null)
    {
        state = directory[name.Replace(' ', '-') + "-" + (state ?? Guid.NewGuid().ToString("N")[..6])];
        Directory.CreateDirectory(directory["stamps"]);
        directory.Write("token", "token-token");
        var config = directory.Write("bench.json", $$"""
            {
              "agent": { "id": "bench" },
              "hub": { "url": "{{hub.SocketUrl}}", "tokenFile": "{{directory["token"]}}" },
              "safeMode": { "starts": 0 }, "stateDirectory": "{{state}}",
              "control": { "socket": "{{directory["bench.sock"]}}" },
              "wake": { "profiles": [ { "name": "main", "completion": "exitCode", "command": ["{{stamp}}", "{{directory["stamps"]}}/{taskId}"] } ] }
            }
            """);
        return TestProgram.Start(program, ["run", "--config", config]);
    }
}
