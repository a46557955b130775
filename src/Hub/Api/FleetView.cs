using FleetHub.Agents;
using FleetHub.Tasks;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Api;

/// <summary>The fleet as shown to people and to the API: read from the owners, changed by nobody here.</summary>
internal sealed class FleetView(AgentRegistry registry, TaskQueue queue, HubOptions options, HubHealth health, Store store, TimeProvider time)
{
    private const int TasksShown = 100;

    public List<AgentView> Agents()
    {
        var connected = registry.Connected.ToDictionary(agent => agent.AgentId);
        return [.. registry.Known().Select(known => connected.GetValueOrDefault(known.AgentId) is { } agent ? View(agent) : Offline(known))];
    }

    public DashboardView Dashboard() => new(Agents(),
        [.. queue.Brief(null, TasksShown).Select(task => TaskView.Of(task, options))], queue.Counts(), Alerts(), time.GetUtcNow().ToUnixTimeMilliseconds());

    public List<Alert> Alerts()
    {
        var acknowledged = store.Read(db => db.Query("SELECT rule FROM acknowledged_alerts", row => row.Text(0))).ToHashSet();
        return [.. AlertRules.Find(Agents(), Attention(), health.DamagedFile, time.GetUtcNow().ToUnixTimeMilliseconds())
            .Select(alert => alert with { Acknowledged = acknowledged.Contains(alert.Rule) })];
    }

    public async Task<bool> AcknowledgeAsync(string rule)
    {
        if (Alerts().All(alert => alert.Rule != rule))
        {
            return false;
        }

        await store.CommitAsync(db => db.Execute("INSERT OR REPLACE INTO acknowledged_alerts (rule, at_unix_ms) VALUES (?1, ?2)", rule, time.GetUtcNow().ToUnixTimeMilliseconds()));
        return true;
    }

    private List<TaskRecord> Attention() =>
        [.. new[] { Tasks.TaskStatus.DeadLetter, Tasks.TaskStatus.Queued, Tasks.TaskStatus.Working, Tasks.TaskStatus.Assigned, Tasks.TaskStatus.RetryWait }.SelectMany(status => queue.Brief(status, limit: 500))];

    private AgentView View(AgentConnection agent)
    {
        var held = queue.HeldBy(agent.AgentId);
        var status = !agent.IsAvailable ? "unavailable" : held.Count > 0 ? "working" : "idle";
        return new AgentView
        {
            AgentId = agent.AgentId, Name = agent.Name, Status = status, FsmState = agent.Heartbeat?.State ?? status, Capabilities = agent.Capabilities,
            ConnectedAt = agent.ConnectedAt.ToUnixTimeMilliseconds(), ProtocolVersion = agent.Version, Client = agent.Client, Slots = agent.Heartbeat?.Slots ?? 1,
            UnavailableReason = agent.Heartbeat?.UnavailableReason, Runs = agent.Heartbeat?.Runs, Incidents = Incidents(agent.AgentId, agent.Heartbeat?.Incidents),
            LastSeen = time.GetUtcNow().ToUnixTimeMilliseconds() - (long)time.GetElapsedTime(agent.Seen).TotalMilliseconds,
        };
    }

    private IReadOnlyList<Incident>? Incidents(string agentId, IReadOnlyList<Incident>? own) =>
        registry.SharedIdentity(agentId) is { } shared ? [.. own ?? [], shared] : own;

    private AgentView Offline(KnownAgent known) => new()
    {
        Incidents = Incidents(known.AgentId, null),
        AgentId = known.AgentId, Name = known.Name, Status = "offline", FsmState = "offline", Capabilities = known.Capabilities, LastSeen = known.LastSeenUnixMs,
    };
}

/// <summary>Where a damaged store was moved at this start, or null.</summary>
internal sealed record HubHealth(string? DamagedFile);
