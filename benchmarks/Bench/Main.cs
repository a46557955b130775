using FleetSidecar.Bench;
using FleetSidecar.Testing;

// Bench STAMP IDLE-SECONDS NAME=PROGRAM...   (0 seconds: the wake alone; -1: the start alone; -2: the workspace alone)
var (stamp, idle) = (args[0], TimeSpan.FromSeconds(int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture)));
var startAlone = idle < TimeSpan.Zero;
using var directory = new TempDir();
if (idle == TimeSpan.FromSeconds(-2))
{
    Console.WriteLine("| what | figure |\n|---|---|");
    Print(await PreparationTime.MeasureAsync(directory));
    return 0;
}

void Print(IEnumerable<string> lines)
{
    foreach (var line in lines)
    {
        Console.WriteLine($"| {line} |");
    }
}

Console.WriteLine("| what | figure |\n|---|---|");
foreach (var pause in new[] { Pace.BackToBack, Pace.Paced })
{
    Print(await Floor.MeasureAsync(directory, stamp, pause));
}

foreach (var pair in args[2..].Select(text => text.Split('=', 2)))
{
    if (startAlone)
    {
        Print([await Footprint.StartsAsync(directory, pair[1], stamp, pair[0])]);
        continue;
    }

    foreach (var pause in new[] { Pace.BackToBack, Pace.Paced })
    {
        Print([await WakeLatency.MeasureAsync(directory, pair[1], stamp, pair[0], pause)]);
    }

    if (idle > TimeSpan.Zero)
    {
        Print(await Footprint.MeasureAsync(directory, pair[1], stamp, pair[0], idle));
    }
}

if (idle > TimeSpan.Zero)
{
    Print(await StoreRate.MeasureAsync(directory));
    Print(await PreparationTime.MeasureAsync(directory));
}

Print(await Floor.MeasureAsync(directory, stamp, Pace.BackToBack));
return 0;
