using System.Globalization;
using FleetSidecar.Testing;

namespace FleetSidecar.Soak;

/// <summary>What the sidecar holds at a moment.</summary>
internal sealed record Footprint(double RssMiB, int Handles, int Threads)
{
    public static Footprint Of(int pid) => new(
        long.Parse(File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0,
        Directory.GetFiles($"/proc/{pid}/fd").Length, Directory.GetDirectories($"/proc/{pid}/task").Length);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{RssMiB:0} MiB, {Handles} handles, {Threads} threads");
}

/// <summary>More work for the last sidecar, undisturbed: what it holds must not grow with what it has done.</summary>
internal static class QuietWork
{
    public const int Tasks = 30;
    private const int WarmUp = 10;

    public static async Task<(Footprint Before, Footprint After)> MeasureAsync(Fleet fleet)
    {
        await WorkAsync(fleet, WarmUp);
        var before = Footprint.Of(fleet.Sidecar.Program.Pid);
        await WorkAsync(fleet, Tasks);
        return (before, Footprint.Of(fleet.Sidecar.Program.Pid));
    }

    private static async Task WorkAsync(Fleet fleet, int count)
    {
        var mine = new List<string>();
        for (var index = 0; index < count; index++)
        {
            mine.Add(await fleet.Hub.AddAsync("quiet", fleet.Origin.Path));
        }

        foreach (var task in mine)
        {
            await fleet.Hub.WaitForAsync(task, "completed", TimeSpan.FromMinutes(3));
        }

        await Wait.ForAsync(async () => (await fleet.Sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "every run to be settled");
    }
}
