using System.Globalization;

namespace FleetSidecar.Bench;

/// <summary>Percentiles of a series, for a table.</summary>
internal static class Figures
{
    public static double Percentile(IReadOnlyList<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)Math.Ceiling(share * sorted.Count) - 1)];
    }

    public static string Milliseconds(IReadOnlyList<double> values) => string.Create(CultureInfo.InvariantCulture,
        $"p50 {Percentile(values, 0.5):0.00} ms, p99 {Percentile(values, 0.99):0.00} ms, max {values.Max():0.00} ms ({values.Count} times)");
}
