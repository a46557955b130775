using System.Runtime.InteropServices;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Testing;

namespace FleetSidecar.Bench;

/// <summary>What the machine itself costs: a durable write and a process start, measured in the same run as everything else.</summary>
internal static partial class Floor
{
    private const int Rounds = 200;

    public static async Task<IEnumerable<string>> MeasureAsync(TempDir directory, string stamp, TimeSpan pause)
    {
        var (sync, spawn, both) = (new List<double>(), new List<double>(), new List<double>());
        using var watch = new ProcessWatch();
        using var file = File.OpenHandle(directory["floor"], FileMode.Create, FileAccess.Write);
        var block = new byte[4096];
        for (var round = 0; round < Rounds; round++)
        {
            await Pace.WaitAsync(pause);
            sync.Add(Since(Write(file, block, round)));
            await Pace.WaitAsync(pause);
            spawn.Add(await SpawnAsync(directory, stamp, watch, TimeProvider.System.GetTimestamp()));
            await Pace.WaitAsync(pause);
            both.Add(await SpawnAsync(directory, stamp, watch, Write(file, block, round)));
        }

        return
        [
            $"floor: fdatasync of 4 KiB, {Pace.Name(pause)} | {Figures.Milliseconds(sync)}",
            $"floor: posix_spawn until the first instruction, {Pace.Name(pause)} | {Figures.Milliseconds(spawn)}",
            $"floor: fdatasync, then posix_spawn until the first instruction, {Pace.Name(pause)} | {Figures.Milliseconds(both)}",
        ];
    }

    private static unsafe long Write(SafeHandle file, byte[] block, int round)
    {
        var before = TimeProvider.System.GetTimestamp();
        fixed (byte* bytes = block)
        {
            _ = PWrite((int)file.DangerousGetHandle(), bytes, block.Length, (long)round * block.Length);
        }

        _ = DataSync((int)file.DangerousGetHandle());
        return before;
    }

    private static async Task<double> SpawnAsync(TempDir directory, string stamp, ProcessWatch watch, long before)
    {
        var pid = Spawner.Start(new SpawnRequest([stamp, directory["stamp"]], [], directory.Path, "/dev/null", "/dev/null"));
        await watch.EndOfAsync(ProcessIdentity.Of(pid) ?? new ProcessIdentity(pid, 0, ""));
        return (long.Parse(await File.ReadAllTextAsync(directory["stamp"])) - before) / 1e6;
    }

    private static double Since(long before) => TimeProvider.System.GetElapsedTime(before).TotalMilliseconds;

    [LibraryImport("libc", EntryPoint = "pwrite")]
    private static unsafe partial nint PWrite(int handle, byte* bytes, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "fdatasync")]
    private static partial int DataSync(int handle);
}
