using FleetSidecar.Drain;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.Link;
using FleetSidecar.Outbox;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>The orderly end: accept nothing more, let the hub hear what it has not heard, leave the agents working.</summary>
internal sealed partial class Farewell(RunLoop runs, OutboxQueue outbox, LinkLoop link, Availability availability, SafeMode safeMode, Notifier notifier, TimeProvider time, ILogger<Farewell> log) : IHostedLifecycleService
{
    private static readonly TimeSpan FlushBudget = TimeSpan.FromSeconds(5);

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        notifier.Stopping();
        availability.Say(AvailabilitySource.Stopping, new Closure("stopping", "this sidecar is stopping"));
        safeMode.Approve();
        LogStopping(runs.Snapshot.Length, outbox.Count);
        var deadline = Task.Delay(FlushBudget, time, cancellationToken);
        while (link.View.State == LinkState.Up && HasUnheardOutcome && !deadline.IsCompleted)
        {
            await Task.WhenAny(outbox.Changed, deadline);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private bool HasUnheardOutcome => outbox.Snapshot().Any(message => message.IsFinal);

    [LoggerMessage(EventIds.Stopping, LogLevel.Information, "stopping with {Runs} open runs and {Messages} unacknowledged messages; agents keep working", EventName = "Stopping")]
    private partial void LogStopping(int runs, int messages);
}
