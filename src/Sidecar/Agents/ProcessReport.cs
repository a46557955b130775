using System.Globalization;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>What an agent's processes are doing, for the report of one that had to be stopped.</summary>
internal static class ProcessReport
{
    private const int MostListed = 10;
    private const double TicksPerSecond = 100; // USER_HZ, on every Linux that .NET runs on

    /// <summary>One line: pid, name, state letter of proc(5) and processor seconds of each.</summary>
    public static string Describe(IEnumerable<ProcessIdentity> family)
    {
        var all = family.Select(process => Line(process.Pid)).OfType<string>().ToList();
        return all.Count == 0 ? "no process is left" : string.Join("; ", all.Take(MostListed)) + (all.Count > MostListed ? $"; and {all.Count - MostListed} more" : "");
    }

    private static string? Line(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var (open, close) = (stat.IndexOf('(', StringComparison.Ordinal), stat.LastIndexOf(')'));
            var fields = stat[(close + 2)..].Split(' ');
            var seconds = (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
            return string.Create(CultureInfo.InvariantCulture, $"{pid} {stat[(open + 1)..close]} {fields[0]} {seconds:0.0} s");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
