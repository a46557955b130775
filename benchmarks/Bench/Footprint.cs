using System.Globalization;
using FleetSidecar.Testing;

namespace FleetSidecar.Bench;

/// <summary>Start until identified, and what an idle, connected sidecar costs.</summary>
internal static class Footprint
{
    private const int Starts = 20;

    public static async Task<IEnumerable<string>> MeasureAsync(TempDir directory, string program, string stamp, string name, TimeSpan idle) =>
        [await StartsAsync(directory, program, stamp, name), $"{name}: idle and connected | {await IdleAsync(directory, program, stamp, name, idle)}"];

    public static async Task<string> StartsAsync(TempDir directory, string program, string stamp, string name)
    {
        var starts = new List<double>();
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var identified = new TaskCompletionSource<long>();
        hub.Answer = frame =>
        {
            if (frame.GetProperty("type").GetString() == "identify")
            {
                // The hub answers "identified" to this at once.
                identified.TrySetResult(TimeProvider.System.GetTimestamp());
            }

            return null;
        };
        for (var round = -1; round < Starts; round++)
        {
            identified = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            var before = TimeProvider.System.GetTimestamp();
            using var sidecar = WakeLatency.Start(directory, hub, program, stamp, name, state: "starts");
            var after = await identified.Task.WaitAsync(TimeSpan.FromSeconds(20));
            if (round >= 0)
            {
                starts.Add(TimeProvider.System.GetElapsedTime(before, after).TotalMilliseconds); // The first one of all makes the store.
            }
        }

        return $"{name}: start until identified | {Figures.Milliseconds(starts)}";
    }

    private static async Task<string> IdleAsync(TempDir directory, string program, string stamp, string name, TimeSpan idle)
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = WakeLatency.Start(directory, hub, program, stamp, name);
        await hub.WaitForAsync("heartbeat");
        await Wait.WhileAsync(() => sidecar.IsRunning, "it runs", TimeSpan.FromSeconds(5));
        var before = CpuSeconds(sidecar.Pid);
        await Wait.WhileAsync(() => sidecar.IsRunning, "it runs", idle);
        var cpu = (CpuSeconds(sidecar.Pid) - before) * 60 / idle.TotalSeconds;
        var rollup = File.ReadAllLines($"/proc/{sidecar.Pid}/smaps_rollup");
        double MiB(params string[] keys) => rollup.Where(line => keys.Any(key => line.StartsWith(key + ":", StringComparison.Ordinal)))
            .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)) / 1024.0;
        return string.Create(CultureInfo.InvariantCulture,
            $"RSS {MiB("Rss"):0} / PSS {MiB("Pss"):0} / private {MiB("Private_Clean", "Private_Dirty"):0} MiB, {Directory.GetDirectories($"/proc/{sidecar.Pid}/task").Length} threads, CPU {cpu:0.000} s a minute");
    }

    // utime and stime, fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms.
    private static double CpuSeconds(int pid)
    {
        var text = File.ReadAllText($"/proc/{pid}/stat");
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
    }
}
