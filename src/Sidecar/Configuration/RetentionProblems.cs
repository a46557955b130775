using FleetSidecar.Retention;

namespace FleetSidecar.Configuration;

/// <summary>What is wrong with the section <c>retention</c>.</summary>
internal static class RetentionProblems
{
    private const int MostRuns = 100_000;

    public static IEnumerable<ConfigProblem> In(RetentionOptions retention)
    {
        if (retention.KeepRunsFor < TimeSpan.Zero || retention.KeepRunsFor > TimeSpan.FromDays(365))
        {
            yield return new("retention.keepRunsFor", "must be between 0 and 365 days", "write it as \"hh:mm:ss\", for example \"336:00:00\" for 14 days");
        }

        if (retention.Interval < TimeSpan.FromSeconds(1) || retention.Interval > TimeSpan.FromDays(1))
        {
            yield return new("retention.interval", "must be between 1 second and 1 day", "leave it out");
        }

        if (retention.MinRuns < 0 || retention.MaxRuns > MostRuns || retention.MinRuns > retention.MaxRuns)
        {
            yield return new("retention.minRuns", $"and maxRuns must be 0 to {MostRuns}, and minRuns at most maxRuns", "leave both out, or set both");
        }

        if (retention.MaxRunBytes < 0)
        {
            yield return new("retention.maxRunBytes", "must not be negative", "leave it out");
        }
    }
}
