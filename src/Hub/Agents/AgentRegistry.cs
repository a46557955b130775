using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Agents;

/// <summary>Who is connected. One connection for each agent: the newest wins, and the older one is told.</summary>
internal sealed class AgentRegistry(Store store, IdentityWatch identities, TimeProvider time)
{
    private readonly Lock _turn = new();
    private readonly Dictionary<string, AgentConnection> _connected = [];

    /// <summary>Wakes the scheduler.</summary>
    public Action? Changed { get; set; }

    public IReadOnlyList<AgentConnection> Connected
    {
        get
        {
            lock (_turn)
            {
                return [.. _connected.Values];
            }
        }
    }

    public AgentConnection? Find(string agentId)
    {
        lock (_turn)
        {
            return _connected.GetValueOrDefault(agentId);
        }
    }

    /// <summary>Counts a new connection of an agent on disk; the count orders connections across restarts of the hub.</summary>
    public Task<long> NextEpochAsync(SidecarMessage.Identify identify) => store.CommitAsync(db =>
    {
        db.Execute(
            """
            INSERT INTO agents (agent_id, name, capabilities, client, epoch, last_seen_unix_ms) VALUES (?1, ?2, ?3, ?4, 1, ?5)
            ON CONFLICT (agent_id) DO UPDATE SET name = ?2, capabilities = ?3, client = ?4, epoch = epoch + 1, last_seen_unix_ms = ?5
            """,
            identify.AgentId, identify.Name ?? identify.AgentId, string.Join(',', identify.Capabilities ?? []), identify.ClientType, time.GetUtcNow().ToUnixTimeMilliseconds());
        return db.Number("SELECT epoch FROM agents WHERE agent_id = ?1", identify.AgentId);
    });

    /// <summary>Puts a connection in place, unless a newer one stands there or the identity is in dispute.</summary>
    public Joined Join(AgentConnection connection)
    {
        lock (_turn)
        {
            var older = _connected.GetValueOrDefault(connection.AgentId);
            if (older is not null && older.Epoch > connection.Epoch)
            {
                return new Joined.Overtaken();
            }

            if (older is not null && identities.Refuses(older, connection))
            {
                return new Joined.Refused();
            }

            _connected[connection.AgentId] = connection;
            return new Joined.InPlace(older);
        }
    }

    /// <summary>Tells that an agent's identity is used by two sidecars; null where it is not.</summary>
    public Incident? SharedIdentity(string agentId)
    {
        lock (_turn)
        {
            return identities.Find(agentId);
        }
    }

    /// <summary>The peer of a superseded connection answered the goodbye, so two sidecars lived at that time.</summary>
    public void Answered(AgentConnection connection)
    {
        lock (_turn)
        {
            if (connection.TakenFrom is { } change)
            {
                change.OlderAnswered = true;
            }
        }
    }

    /// <summary>Takes a connection away, unless a newer one already stands in its place.</summary>
    public bool Leave(AgentConnection connection)
    {
        lock (_turn)
        {
            return _connected.GetValueOrDefault(connection.AgentId) == connection && _connected.Remove(connection.AgentId);
        }
    }

    public bool IsCurrent(AgentConnection connection) => Find(connection.AgentId) == connection;

    /// <summary>How long until the first agent that was left alone at some moment may be asked again; not more than nothing where that has passed.</summary>
    public TimeSpan? NextRelease(long sinceTimestamp)
    {
        var held = Connected.Select(agent => agent.HeldUntil).Where(until => until > sinceTimestamp).ToList();
        return held.Count == 0 ? null : time.GetElapsedTime(time.GetTimestamp(), held.Min()) + TimeSpan.FromMilliseconds(1);
    }

    /// <summary>Every agent that was ever here.</summary>
    public List<KnownAgent> Known() => store.Read(db => db.Query(
        "SELECT agent_id, name, capabilities, last_seen_unix_ms FROM agents ORDER BY agent_id LIMIT 10000",
        row => new KnownAgent(row.Text(0), row.Text(1), row.Text(2).Split(',', StringSplitOptions.RemoveEmptyEntries), row.Number(3))));
}

/// <summary>An agent as the hub remembers it.</summary>
internal sealed record KnownAgent(string AgentId, string Name, IReadOnlyList<string> Capabilities, long LastSeenUnixMs);
