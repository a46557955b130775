using System.Globalization;
using FleetSidecar.Soak;
using FleetSidecar.Testing;

// Soak MINUTES SEED, or Soak identity KILLS SEED
if (args[0] == "identity")
{
    return await IdentitySoak.RunAsync(int.Parse(args[1], CultureInfo.InvariantCulture), int.Parse(args[2], CultureInfo.InvariantCulture));
}

var (minutes, seed) = (double.Parse(args[0], CultureInfo.InvariantCulture), int.Parse(args[1], CultureInfo.InvariantCulture));
using var directory = new TempDir();
using var fleet = await Fleet.StartAsync(directory);
var mayhem = new Mayhem(fleet, new Random(seed));
await mayhem.RunAsync(TimeSpan.FromMinutes(minutes));
var tasks = await fleet.SettleAsync();
var quiet = await QuietWork.MeasureAsync(fleet);
var problems = await Invariants.BrokenAsync(fleet, tasks, quiet);

Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    | what | count |
    |---|---|
    | minutes of kills (seed {seed}) | {minutes} |
    | tasks | {tasks.Count} |
    | completed | {tasks.Count(task => task.GetProperty("status").GetString() == "completed")} |
    | agent executions | {fleet.Executions().Count} |
    | kill -9 of the sidecar alone | {mayhem.Sidecars} |
    | kill -9 of the hub alone | {mayhem.Hubs} |
    | kill -9 of both | {mayhem.Both} |
    | kill -9 of an agent | {mayhem.Agents} |
    | faults of the sidecar's own | {mayhem.Faults} |
    | tasks cancelled and retried at once | {mayhem.Retried} |
    | sidecar, before and after {QuietWork.Tasks} more tasks | {quiet.Before} → {quiet.After} |
    | invariants broken | {problems.Count} |
    """));
// The cause comes last: whoever sees only the end of a long output sees it.
if (problems.Count > 0)
{
    Console.WriteLine(fleet.Logs());
}

foreach (var problem in problems)
{
    Console.WriteLine($"BROKEN: {problem}");
}

return problems.Count == 0 ? 0 : 1;
