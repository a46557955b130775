using FleetSidecar.Alerts;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Deadman;

/// <summary>One pass of the dead man's switch: look, decide, remember, act, tell. See ADR 16 for what it is there for beside watchdog and Restart=.</summary>
/// <remarks>What is going to be done is on disk before it is done: a pass that dies in the middle has counted.</remarks>
internal sealed partial class DeadmanPass(string configFile, string unit, string? state, ServiceUnit units, ToolRunner tools, TimeProvider time, ILoggerFactory logs)
{
    private readonly ILogger _log = logs.CreateLogger("FleetSidecar.Deadman");

    public async Task<DeadmanStep> RunAsync(CancellationToken token)
    {
        var shown = await units.ShowAsync(unit, token, DeadmanLook.Asked);
        var scene = DeadmanScene.Of(configFile, state, UnitSettings.In(shown?.GetValueOrDefault("Environment")));
        var memory = DeadmanMemory.Of(configFile, scene.Config.StateDirectory);
        using var turn = memory.Take(); // The timer's pass and one by hand.
        var now = time.GetUtcNow();
        var before = memory.Read() ?? new DeadmanState();
        var (facts, inForce, door) = await new DeadmanLook(time).AtAsync(scene, shown, before.Door, now, token);
        var step = DeadmanRules.Decide(facts, before with { Door = door }, now.ToUnixTimeMilliseconds());
        memory.Write(step.State);
        if (step.State.Condition == DeadmanCondition.Fine && scene.Problem is null && inForce is not null && inForce == scene.Config.Origin.Files?.Fingerprint)
        {
            step = Keep(scene.Good, step, memory);
        }

        var said = await ActAsync(step, scene.Good, now, token);
        if (said is not null)
        {
            memory.Write(step.State with { LastDetail = step.Action == DeadmanAction.Recovered ? step.State.LastDetail : said });
            var redactor = new Redactor();
            new KnownSecrets(scene.Config, redactor).Learn();
            await new AlertHooks(scene.Config.Alerts, tools, redactor, time, logs.CreateLogger<AlertHooks>()).SendAsync(Alert(step, said, scene.Config.Agent.Id, now), token);
        }

        return step;
    }

    /// <summary>Logs why a pass could do nothing: the timer's unit keeps only what is at least a notice, not what a command prints.</summary>
    public void LogFault(SidecarException fault) => LogReported(unit, $"{fault.Message}; {fault.Hint}");

    private DeadmanStep Keep(LastGood good, DeadmanStep step, DeadmanMemory memory)
    {
        string? problem = null;
        try
        {
            good.Keep();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            problem = fault.Message;
        }

        if (problem == step.State.KeepProblem)
        {
            return step; // Said once, not every minute.
        }

        if (problem is not null)
        {
            LogNotKept(problem);
        }

        step = step with { State = step.State with { KeepProblem = problem } };
        memory.Write(step.State);
        return step;
    }

    /// <summary>Does it and logs it; what there is to tell, or null for nothing.</summary>
    private async Task<string?> ActAsync(DeadmanStep step, LastGood good, DateTimeOffset now, CancellationToken token)
    {
        switch (step.Action)
        {
            case DeadmanAction.Report:
                LogReported(unit, step.Detail);
                return step.Detail;
            case DeadmanAction.Recovered:
                LogRecovered(unit);
                return step.Detail;
            case DeadmanAction.Restart:
                return await RestartAsync(step, step.Detail, token);
            case DeadmanAction.Restore:
                try
                {
                    var moved = good.Restore(now);
                    return await RestartAsync(step, moved.Count == 0 ? step.Detail : $"{step.Detail}; what was wrong is now {string.Join(", ", moved)}", token);
                }
                catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
                {
                    var unable = $"{step.Detail}; it could not be put back: {fault.Message}";
                    LogReported(unit, unable);
                    return unable;
                }
            default:
                return null;
        }
    }

    private async Task<string> RestartAsync(DeadmanStep step, string detail, CancellationToken token)
    {
        var said = $"{detail}; {await units.RestartAsync(unit, token) ?? $"restarted {unit}"}";
        LogActed(unit, said, step.State.Restarts);
        return said;
    }

    private static AlertMessage Alert(DeadmanStep step, string said, string agent, DateTimeOffset now) => step.Action == DeadmanAction.Recovered
        ? new AlertMessage("deadman.recovered", "resolved", agent, Environment.MachineName, said, "nothing to do", now.ToUnixTimeMilliseconds())
        : new AlertMessage($"deadman.{step.State.Condition}", step.Action == DeadmanAction.Report ? "critical" : "warning", agent, Environment.MachineName, said,
            "look at 'journalctl -u fleet-sidecar' and 'fleet-sidecar status' on that machine", now.ToUnixTimeMilliseconds());

    [LoggerMessage(EventIds.DeadmanActed, LogLevel.Error, "{Unit}: {What} (restart {Count} in a row)", EventName = "DeadmanActed")]
    private partial void LogActed(string unit, string what, int count);

    [LoggerMessage(EventIds.DeadmanReported, LogLevel.Error, "{Unit}: {What}; a person must act", EventName = "DeadmanReported")]
    private partial void LogReported(string unit, string what);

    [LoggerMessage(EventIds.DeadmanRecovered, LogLevel.Warning, "{Unit} answers again", EventName = "DeadmanRecovered")]
    private partial void LogRecovered(string unit);

    [LoggerMessage(EventIds.LastGoodNotKept, LogLevel.Warning, "the present configuration, with which the daemon is well, cannot be kept: {Reason}; an older one would be put back", EventName = "LastGoodNotKept")]
    private partial void LogNotKept(string reason);
}
