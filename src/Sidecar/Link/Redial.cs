namespace FleetSidecar.Link;

/// <summary>When to dial again. Pure: chance comes in.</summary>
internal static class Redial
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(1), Longest = TimeSpan.FromMinutes(1), LongestAsked = TimeSpan.FromMinutes(5);

    /// <summary>Full jitter: any time between now and a bound that starts at 1 s and doubles to 60 s, so that a fleet does not come back as one.</summary>
    /// <param name="failures">Failures in a row before this attempt, from 0.</param>
    /// <param name="chance">A number from 0 to 1.</param>
    /// <param name="asked">What the hub asked for; at least that long, up to 5 min, and then the jitter.</param>
    public static TimeSpan Delay(int failures, double chance, TimeSpan? asked = null)
    {
        var bound = TimeSpan.FromTicks(Math.Min(Longest.Ticks, First.Ticks << Math.Min(failures, 10)));
        var floor = asked is { } wanted ? (wanted < LongestAsked ? wanted : LongestAsked) : TimeSpan.Zero;
        return floor + (bound * chance);
    }

    /// <summary>The pause after a refusal; doubled, up to a day, each time in a row that another sidecar had the identity.</summary>
    /// <param name="interval">The pause after the first one.</param>
    /// <param name="supersededInARow">How often in a row another sidecar had the identity.</param>
    /// <param name="asked">What the hub asked for; at least that long, up to 5 min.</param>
    public static TimeSpan AfterRefusal(TimeSpan interval, int supersededInARow, TimeSpan? asked = null)
    {
        var doubled = Math.Min(TimeSpan.FromDays(1).Ticks, interval.Ticks << Math.Clamp(supersededInARow - 1, 0, 12));
        var floor = Math.Min(LongestAsked.Ticks, asked?.Ticks ?? 0);
        return TimeSpan.FromTicks(Math.Max(doubled, floor));
    }

    /// <summary>The pause between heartbeats: the interval and up to a tenth more, always the same for one agent and spread over a fleet.</summary>
    public static TimeSpan Spread(TimeSpan interval, string agentId)
    {
        // FNV-1a: string hash codes differ from process to process, and a restart must not move the whole fleet.
        var hash = 2166136261u;
        foreach (var letter in agentId)
        {
            hash = (hash ^ letter) * 16777619u;
        }

        return interval + (interval * (hash % 1000 / 10_000.0));
    }
}
