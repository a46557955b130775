using FleetSidecar.Protocol;

namespace FleetHub.Agents;

/// <summary>The changes of holder of each identity, and the refusals that follow. Called under the registry's lock.</summary>
internal sealed class IdentityWatch(HubOptions options, TimeProvider time)
{
    public const string Code = "identity_shared";

    // What is older than the window says nothing; more within it than this says nothing new.
    private const int MaxRemembered = 16;

    private readonly Dictionary<string, Watched> _watched = [];

    /// <summary>Whether a newcomer is refused. Where it is not, it takes the identity from the holder.</summary>
    public bool Refuses(AgentConnection holder, AgentConnection newcomer)
    {
        if (IdentityRules.IsSame(holder.InstanceId, newcomer.InstanceId))
        {
            return false;
        }

        var now = Now;
        if (!_watched.TryGetValue(holder.AgentId, out var watched))
        {
            _watched[holder.AgentId] = watched = new Watched();
        }

        var change = new IdentityChange(now, holder.InstanceId, newcomer.InstanceId);
        watched.Remember(change, now);

        // A holder that is not heard of is not protected: the identity must not stay with a dead connection.
        var refused = (now < watched.RefusedUntil || IdentityRules.IsShared(watched.Changes, now))
            && time.GetElapsedTime(holder.Seen) < options.IdleLimit / 2;
        if (refused)
        {
            watched.RefusedUntil = now + IdentityRules.Window;
            watched.LastRefusal = time.GetUtcNow();
        }
        else
        {
            holder.TakenFrom = change;
        }

        return refused;
    }

    /// <summary>The incident, until three windows after the last refusal: a sidecar that was sent away comes back after one.</summary>
    public Incident? Find(string agentId)
    {
        if (!_watched.TryGetValue(agentId, out var watched) || watched.LastRefusal is not { } at
            || time.GetUtcNow() - at > 3 * IdentityRules.Window)
        {
            return null;
        }

        return new Incident
        {
            Code = Code, Timestamp = at.ToUnixTimeMilliseconds(),
            Detail = $"two sidecars use the identity {agentId}; the last to come was refused for {IdentityRules.Window}",
        };
    }

    private TimeSpan Now => time.GetElapsedTime(0);

    private sealed class Watched
    {
        public List<IdentityChange> Changes { get; } = [];

        public TimeSpan RefusedUntil { get; set; }

        public DateTimeOffset? LastRefusal { get; set; }

        public void Remember(IdentityChange change, TimeSpan now)
        {
            Changes.RemoveAll(old => now - old.At >= IdentityRules.Window);
            if (Changes.Count >= MaxRemembered)
            {
                Changes.RemoveAt(0);
            }

            Changes.Add(change);
        }
    }
}
