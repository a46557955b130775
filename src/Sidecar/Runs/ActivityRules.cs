namespace FleetSidecar.Runs;

/// <summary>Whether an agent has been silent for too long. Pure; times are measured on the monotonic clock.</summary>
internal static class ActivityRules
{
    /// <summary>The deadline that passed, or null.</summary>
    /// <param name="sinceProof">Since the wake was proved, or this sidecar began to watch.</param>
    /// <param name="sinceSign">Since the last sign of work; null where there was none.</param>
    /// <param name="limits">A limit of zero is none.</param>
    public static string? Missed(TimeSpan sinceProof, TimeSpan? sinceSign, DeadlineOptions limits) => sinceSign switch
    {
        null => limits.FirstActivity > TimeSpan.Zero && sinceProof > limits.FirstActivity ? "first_activity" : null,
        { } silence => limits.Idle > TimeSpan.Zero && silence > limits.Idle ? "idle" : null,
    };
}
