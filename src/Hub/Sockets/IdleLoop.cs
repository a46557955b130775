using FleetHub.Agents;
using FleetSidecar.Ground.Loops;

namespace FleetHub.Sockets;

/// <summary>Cuts connections that have been silent for too long: a peer behind a dead network never says goodbye.</summary>
internal sealed partial class IdleLoop(AgentRegistry agents, HubOptions options, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<IdleLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    protected override async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.IdleLimit / 4, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            foreach (var agent in agents.Connected.Where(agent => time.GetElapsedTime(agent.Seen) > options.IdleLimit))
            {
                LogIdle(agent.AgentId, options.IdleLimit);
                agent.Abort();
            }
        }
    }

    [LoggerMessage(HubEvents.AgentIdle, LogLevel.Warning, "{Agent} was silent for {Limit}; closing its connection, its tasks stay with it until their lease ends", EventName = "AgentIdle")]
    private partial void LogIdle(string agent, TimeSpan limit);
}
