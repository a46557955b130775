using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;

namespace FleetSidecar.Runs;

/// <summary>What a batch makes of the breakers: a good end closes one, a provider's failure counts and moves the run to the next profile.</summary>
internal sealed class DraftBreakers(IReadOnlyDictionary<string, Breaker> known, IReadOnlyList<WakeProfile> profiles, long now)
{
    private readonly Dictionary<string, Breaker?> _changed = [];

    /// <summary>By profile; null for one of which nothing is known any more.</summary>
    public IReadOnlyDictionary<string, Breaker?> Changed => _changed;

    /// <summary>What is known against profiles, with what this batch makes of it.</summary>
    public IReadOnlyCollection<Breaker> Known => Current.Values;

    /// <summary>The profile for a new run, or null where every provider is known to fail.</summary>
    public WakeProfile? First() => ProfileChoice.Next(profiles, Current, [], runId: "", now); // A new run is nobody's probe yet.

    /// <summary>The run is going to use its profile.</summary>
    public Run Use(Run run)
    {
        Set(run.Profile.Name, BreakerRules.Used(Find(run.Profile.Name), run.Id));
        return run;
    }

    /// <summary>The run's agent ended badly: with another profile to try where the provider was at fault, else for good.</summary>
    public Run After(Run run, Failure failure)
    {
        if (!BreakerRules.IsOfProvider(failure.Code) || NoopProfile.Is(run.Profile.Name))
        {
            return run with { Facts = run.Facts with { Failure = failure } };
        }

        Set(run.Profile.Name, BreakerRules.Failed(Find(run.Profile.Name), run.Profile.Name, failure.Code, now));
        var tried = run.Facts.Tried.Append(new ProfileTry(run.Profile.Name, failure.Code, failure.Reason)).ToList();
        var next = ProfileChoice.Next(profiles, Current, tried, run.Id, now);
        return run with { Facts = run.Facts with { Tried = tried, NextProfile = next?.Name, Failure = next is null ? failure : null } };
    }

    /// <summary>The agent did its turn: nothing speaks against its provider.</summary>
    public Run Clear(Run run)
    {
        Set(run.Profile.Name, null);
        return run;
    }

    /// <summary>The run is over: if it was the one that tried, another may.</summary>
    public void Release(Run run) => Set(run.Profile.Name, BreakerRules.Released(Find(run.Profile.Name), run.Id));

    private Dictionary<string, Breaker> Current => known.Where(pair => !_changed.ContainsKey(pair.Key)).Select(pair => pair.Value)
        .Concat(_changed.Values.OfType<Breaker>()).ToDictionary(breaker => breaker.Profile);

    private Breaker? Find(string profile) => _changed.TryGetValue(profile, out var changed) ? changed : known.GetValueOrDefault(profile);

    private void Set(string profile, Breaker? breaker)
    {
        if (Find(profile) != breaker)
        {
            _changed[profile] = breaker;
        }
    }
}
