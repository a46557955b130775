using System.Globalization;
using FleetSidecar.Testing;

namespace FleetSidecar.Soak;

/// <summary>Kills of the identity-safe sync at random moments, and a table of what was tried.</summary>
internal static class IdentitySoak
{
    public static async Task<int> RunAsync(int kills, int seed)
    {
        using var directory = new TempDir();
        var began = TimeProvider.System.GetTimestamp();
        var tally = await new IdentityKills(directory, new Random(seed)).RunAsync(kills);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            | what | count |
            |---|---|
            | syncs (seed {seed}, {TimeProvider.System.GetElapsedTime(began).TotalMinutes:0.0} min) | {tally.Kills + tally.EndedBefore} |
            | kill -9 | {tally.Kills} |
            | of them while the journal stood | {tally.InTheMiddle} |
            | ended before the kill came | {tally.EndedBefore} |
            | contaminated at the start | {string.Join(", ", tally.Starts.Select(start => $"{start.Key} {start.Value}"))} |
            | invariants broken | {tally.Broken.Count} |
            """));
        foreach (var problem in tally.Broken)
        {
            Console.WriteLine($"BROKEN: {problem}");
        }

        return tally.Broken.Count == 0 ? 0 : 1;
    }
}
