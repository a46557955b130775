using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Reload;

/// <summary>The one place where the configuration in force changes: reads all of it again, as a start would, and only then puts in force what may change. See ADR 18.</summary>
internal sealed partial class ReloadLoop(
    SidecarConfig config, ConfigOrigin origin, ReloadRequests requests, Berths berths, Availability availability, LogThreshold threshold, KnownSecrets secrets, Notifier notifier, TimeProvider time,
    Verdict verdict, IHostApplicationLifetime lifetime, ILogger<ReloadLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    /// <summary>The last reload, for <c>status</c>; null before the first.</summary>
    public ReloadReport? Last { get; private set; }

    /// <summary>The line for the service manager.</summary>
    public static string StatusOf(string agent, ReloadReport? last) => last switch
    {
        { Problem: { } problem } => $"agent {agent}; configuration not reloaded: {problem}",
        { NeedsRestart: { Count: > 0 } keys } => $"agent {agent}; needs a restart: {string.Join(", ", keys)}",
        _ => $"agent {agent}",
    };

    public Task<ReloadReport> AskAsync(CancellationToken token) => requests.AskAsync(token);

    protected override async Task RunAsync(CancellationToken stopping)
    {
        while (true)
        {
            var asked = await NextAsync(stopping);
            notifier.Reloading(time);
            var report = Last = Reload(stopping);
            notifier.Ready(StatusOf(config.Agent.Id, report).ReplaceLineEndings(" "));
            foreach (var one in asked)
            {
                one?.TrySetResult(report);
            }
        }
    }

    // A request may not come for months; the loop is seen all the same.
    private async Task<IReadOnlyList<TaskCompletionSource<ReloadReport>?>> NextAsync(CancellationToken stopping)
    {
        var next = requests.NextAsync(stopping);
        while (!next.IsCompleted)
        {
            Pulse.Beat();
            using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            await Task.WhenAny(next, Task.Delay(Pulse.Usual / 3, time, over.Token));
            await over.CancelAsync();
        }

        Pulse.Beat();
        return await next;
    }

    private ReloadReport Reload(CancellationToken stopping)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        SidecarConfig read;
        try
        {
            read = origin.Load();
            CrashPoints.At(CrashPointName.ConfigRead);
        }
        catch (ConfigurationException fault)
        {
            LogNotReloaded(fault.Message, fault.Hint);
            return new ReloadReport(origin.Path, [], Last?.NeedsRestart ?? [], fault.Message, fault.Hint, now);
        }

        var changes = ReloadRules.Compare(config, read);
        ReloadRules.Apply(config, read, changes);
        secrets.Learn();
        availability.Repeat(); // How many runs fit is among what may change.
        threshold.Level = Enum.Parse<LogLevel>(config.Log.Level);
        if (changes.Any(change => change.Key.StartsWith("wake.", StringComparison.Ordinal)))
        {
            berths.Renew();
            _ = berths.RefillAsync(config.Wake.Profiles[0], stopping);
        }

        List<string> waiting = [.. changes.Where(change => change.Effect == TakesEffect.Restart).Select(change => change.Key)];
        List<ConfigChange> changed = [.. changes.Where(change => change.Effect != TakesEffect.Restart)];
        if (waiting.Count == 0)
        {
            config.Origin = read.Origin; // What the files say is in force, all of it.
        }

        LogReloaded(changed.Count == 0 ? "nothing changed" : string.Join(", ", changed.Select(change => $"{change.Key} ({change.Effect})")));
        if (waiting.Count > 0)
        {
            LogNeedsRestart(string.Join(", ", waiting));
        }

        return new ReloadReport(origin.Path, changed, waiting, null, null, now);
    }

    [LoggerMessage(EventIds.ConfigReloaded, LogLevel.Information, "the configuration was read again: {Changes}", EventName = "ConfigReloaded")]
    private partial void LogReloaded(string changes);

    [LoggerMessage(EventIds.ConfigNotReloaded, LogLevel.Error, "the configuration was not reloaded: {Reason}; {Hint}. The old one stays in force", EventName = "ConfigNotReloaded")]
    private partial void LogNotReloaded(string reason, string hint);

    [LoggerMessage(EventIds.ConfigNeedsRestart, LogLevel.Warning, "needs a restart: {Keys}; until then the old values stay in force", EventName = "ConfigNeedsRestart")]
    private partial void LogNeedsRestart(string keys);
}
