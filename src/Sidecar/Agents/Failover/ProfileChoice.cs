namespace FleetSidecar.Agents.Failover;

/// <summary>A profile that was tried for a run and what its provider did.</summary>
internal sealed record ProfileTry(string Profile, string Code, string Reason);

/// <summary>Which profile wakes the agent: the first in the configured order that nothing speaks against. Pure.</summary>
internal static class ProfileChoice
{
    /// <summary>The profile to use, or null where every one is open or was tried: never a profile that is known to fail.</summary>
    public static WakeProfile? Next(IReadOnlyList<WakeProfile> profiles, IReadOnlyDictionary<string, Breaker> breakers, IReadOnlyList<ProfileTry> tried, string runId, long now) =>
        profiles.FirstOrDefault(profile =>
            tried.All(one => one.Profile != profile.Name) && BreakerRules.Admits(breakers.GetValueOrDefault(profile.Name), runId, now));
}
