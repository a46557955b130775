using System.Text.Json.Serialization;

namespace FleetSidecar.SelfTest;

/// <summary>Section <c>safeMode</c>: what counts as a crash loop of the sidecar itself.</summary>
internal sealed class SafeModeOptions
{
    /// <summary>Starts within <see cref="Within"/> that did not get healthy, 0 to 100; default 5. 0 turns safe mode off.</summary>
    public int Starts { get; set; } = 5;

    /// <summary>The time in which they are counted, 1 s to 1 day; default 10 min.</summary>
    public TimeSpan Within { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a start must last to count as healthy, 100 ms to 1 h; default 1 min.</summary>
    public TimeSpan HealthyAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>After how long in safe mode work is taken again, 100 ms to 1 day; default 10 min.</summary>
    public TimeSpan LeaveAfter { get; set; } = TimeSpan.FromMinutes(10);
}

/// <summary>One start of the daemon.</summary>
internal sealed record StartRecord
{
    public required long AtUnixMs { get; init; }

    /// <summary>It lasted, or it was asked to stop.</summary>
    public bool Good { get; init; }
}

/// <summary>Whether the sidecar itself is in a crash loop. Pure.</summary>
internal static class CrashLoopRules
{
    /// <summary>Starts before this one in a row that count against it, as of now. A good one in between ends the row.</summary>
    public static int Against(IReadOnlyList<StartRecord> earlier, long now, SafeModeOptions options) => earlier
        .Where(start => start.AtUnixMs <= now && now - start.AtUnixMs <= options.Within.TotalMilliseconds)
        .Reverse().TakeWhile(start => !start.Good).Count();

    /// <summary>How long this start waits before it does anything: nothing until it is a crash loop, then 1 s, doubled with each further start, at most a minute.</summary>
    public static TimeSpan Pause(int against, SafeModeOptions options) =>
        options.Starts > 0 && against >= options.Starts ? TimeSpan.FromSeconds(Math.Min(60, Math.Pow(2, Math.Min(against - options.Starts, 10)))) : TimeSpan.Zero;

    /// <summary>This start included.</summary>
    public static bool IsCrashLoop(int against, SafeModeOptions options) => options.Starts > 0 && against + 1 >= options.Starts;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(List<StartRecord>))]
internal sealed partial class StartJson : JsonSerializerContext;
