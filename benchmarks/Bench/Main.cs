using FleetSidecar.Bench;
using FleetSidecar.Testing;

// Bench STAMP IDLE-SECONDS NAME=PROGRAM...   (0 seconds: the wake alone)
var (stamp, idle) = (args[0], TimeSpan.FromSeconds(int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture)));
using var directory = new TempDir();
void Print(IEnumerable<string> lines)
{
    foreach (var line in lines)
    {
        Console.WriteLine($"| {line} |");
    }
}

Console.WriteLine("| what | figure |\n|---|---|");
Print(await Floor.MeasureAsync(directory, stamp));
foreach (var pair in args[2..].Select(text => text.Split('=', 2)))
{
    Print([await WakeLatency.MeasureAsync(directory, pair[1], stamp, pair[0])]);
    if (idle > TimeSpan.Zero)
    {
        Print(await Footprint.MeasureAsync(directory, pair[1], stamp, pair[0], idle));
    }
}

if (idle > TimeSpan.Zero)
{
    Print(await StoreRate.MeasureAsync(directory));
}

Print(await Floor.MeasureAsync(directory, stamp));
return 0;
