using FleetSidecar.Alerts;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Systemd;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Deadman;

/// <summary>One pass of the dead man's switch: look, decide, remember, act, tell. See ADR 16 for what it is there for beside watchdog and Restart=.</summary>
/// <remarks>What is going to be done is on disk before it is done: a pass that dies in the middle has counted.</remarks>
internal sealed partial class DeadmanPass(string configFile, string unit, string? state, ServiceUnit units, ToolRunner tools, TimeProvider time, ILoggerFactory logs)
{
    private static readonly TimeSpan SocketLimit = TimeSpan.FromSeconds(5);
    private readonly ILogger _log = logs.CreateLogger("FleetSidecar.Deadman");

    public async Task<DeadmanStep> RunAsync(CancellationToken token)
    {
        var (config, problem) = Load();
        var home = PackagePaths.DeadmanOf(config.StateDirectory);
        using var turn = DirectoryLock.Take(home); // The timer's pass and one by hand.
        var (file, good, now) = (DeadmanState.FileIn(home), new LastGood(configFile, home), time.GetUtcNow());
        var facts = await LookAsync(config, problem, good, now, token);
        var before = DeadmanState.Read(file) ?? new DeadmanState();
        var step = DeadmanRules.Decide(facts, before, now.ToUnixTimeMilliseconds());
        step.State.Write(file);
        if (step is { Action: DeadmanAction.Nothing, State.Condition: DeadmanCondition.Fine } && problem is null)
        {
            good.Keep();
        }

        var said = await ActAsync(step, good, now, token);
        if (said is not null)
        {
            (step.State with { LastDetail = step.Action == DeadmanAction.Recovered ? step.State.LastDetail : said }).Write(file);
            var hooks = problem is null ? config : good.Read() ?? config;
            await new AlertHooks(hooks.Alerts, tools, new Redactor(), time, logs.CreateLogger<AlertHooks>()).SendAsync(Alert(step, said, hooks.Agent.Id, now), token);
        }

        return step;
    }

    private (SidecarConfig Config, string? Problem) Load()
    {
        SidecarConfig config;
        string? problem = null;
        try
        {
            config = ConfigLoader.Load(configFile, []);
        }
        catch (ConfigurationException fault)
        {
            (config, problem) = (ConfigLoader.WhatIsReadable(configFile), fault.Message);
        }

        config.StateDirectory = state ?? config.StateDirectory;
        return (config, problem);
    }

    private async Task<DeadmanFacts> LookAsync(SidecarConfig config, string? problem, LastGood good, DateTimeOffset now, CancellationToken token)
    {
        var shown = await units.ShowAsync(unit, token, "LoadState", "UnitFileState", "ActiveState", "SubState", "Result", "NRestarts", "InactiveEnterTimestamp");
        string Of(string property) => shown?.GetValueOrDefault(property) ?? "";
        var alive = AliveFile.Read(config.StateDirectory, now);
        var loaded = Of("LoadState") is "loaded" or "masked";
        return new DeadmanFacts
        {
            UnitLoaded = loaded, Enrolled = File.Exists(configFile), ActiveState = Of("ActiveState"), Result = Of("Result"), UnitFileState = Of("LoadState") == "masked" ? "masked" : Of("UnitFileState"),
            Answers = !loaded || Of("ActiveState") != "active" || await AnswersAsync(config.SocketFile, token),
            AliveAge = alive?.Age, Intake = alive?.Intake ?? "open", ConfigProblem = problem, HasLastGood = problem is not null && good.IsUsable,
        };
    }

    private async Task<bool> AnswersAsync(string socket, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CreateTimer(_ => limited.Cancel(), null, SocketLimit, Timeout.InfiniteTimeSpan);
        try
        {
            return (await ControlClient.AskAsync(socket, new ControlRequest { Verb = "status" }, limited.Token)).Ok;
        }
        catch (Exception fault) when (fault is DaemonUnavailableException || (fault is OperationCanceledException && !token.IsCancellationRequested))
        {
            return false;
        }
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
            case DeadmanAction.Restart or DeadmanAction.Restore:
                var moved = step.Action == DeadmanAction.Restore ? good.Restore(now) : [];
                var complaint = await units.RestartAsync(unit, token);
                var said = $"{step.Detail}{(moved.Count > 0 ? $"; what was wrong is now {string.Join(", ", moved)}" : "")}; {complaint ?? $"restarted {unit}"}";
                LogActed(unit, said, step.State.Restarts);
                return said;
            default:
                return null;
        }
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
}
