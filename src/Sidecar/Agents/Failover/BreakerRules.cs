using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Failover;

/// <summary>What is known against a wake profile. Nothing known is no breaker at all, which is closed.</summary>
/// <param name="Profile">The profile's name.</param>
/// <param name="Failures">Provider failures in a row.</param>
/// <param name="OpenedAtUnixMs">When it opened; null while it is still closed.</param>
/// <param name="ProbeRunId">Half open: the one run that tries.</param>
/// <param name="LastCode">What the last failure was, one of <see cref="FailureClass"/>.</param>
internal sealed record Breaker(string Profile, int Failures, long? OpenedAtUnixMs, string? ProbeRunId, string LastCode);

/// <summary>The life of a breaker. Pure. Three provider failures in a row open it for five minutes; then one run may try.</summary>
internal static class BreakerRules
{
    public const int OpensAfter = 3;
    public static readonly TimeSpan OpenFor = TimeSpan.FromMinutes(5);

    /// <summary>Failures that say something about the provider behind a profile and nothing about the task.</summary>
    public static bool IsOfProvider(string code) => code is FailureClass.Auth or FailureClass.RateLimited or FailureClass.ProviderDown;

    public static bool IsOpen(Breaker breaker, long now) => breaker.OpenedAtUnixMs is { } opened && now < opened + (long)OpenFor.TotalMilliseconds;

    /// <summary>Whether a run may use the profile now. A clock that was set back keeps a breaker open no longer than its time.</summary>
    public static bool Admits(Breaker? breaker, string runId, long now) => breaker switch
    {
        null or { OpenedAtUnixMs: null } => true,
        { OpenedAtUnixMs: { } opened } when opened > now => true,
        _ => !IsOpen(breaker, now) && (breaker.ProbeRunId is null || breaker.ProbeRunId == runId),
    };

    /// <summary>A run is going to use the profile: where the breaker is half open, this is the one that tries.</summary>
    public static Breaker? Used(Breaker? breaker, string runId) => breaker is { OpenedAtUnixMs: not null } ? breaker with { ProbeRunId = runId } : breaker;

    /// <summary>The provider failed.</summary>
    public static Breaker Failed(Breaker? breaker, string profile, string code, long now)
    {
        var failures = (breaker?.Failures ?? 0) + 1;
        var opens = failures >= OpensAfter || breaker?.OpenedAtUnixMs is not null; // Half open: one more is enough.
        return new Breaker(profile, failures, opens ? now : null, null, code);
    }

    /// <summary>The run ended without saying anything about the provider: somebody else may try.</summary>
    public static Breaker? Released(Breaker? breaker, string runId) => breaker is not null && breaker.ProbeRunId == runId ? breaker with { ProbeRunId = null } : breaker;
}
