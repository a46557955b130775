using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>Carries orders out and brings back what was learned. Every order may be given again after a crash.</summary>
internal sealed partial class RunOrders(
    SidecarConfig config, AgentLauncher launcher, Berths berths, ResultFiles results, Workspace workspace, ProcessWatch watch, Redactor redactor, TimeProvider time, ILogger<RunOrders> log)
{
    private const int ErrorsRead = 64 * 1024;
    private static readonly TimeSpan LookForReports = TimeSpan.FromMilliseconds(500);

    /// <summary>Does one order; <paramref name="learned"/> hands over each thing found out. <paramref name="again"/>: an earlier process may have begun it.</summary>
    public Task RunAsync(Run run, RunOrder order, bool again, Func<Func<Run, Run>, ValueTask> learned, CancellationToken token) => order.Kind switch
    {
        OrderKind.Prepare => GuardAsync(run, FailureClass.Workspace, () => workspace.PrepareAsync(run, token), learned),
        OrderKind.Wake => WakeAsync(run, again, learned, token),
        OrderKind.Pause => PauseAsync(run, learned, token),
        OrderKind.Watch => WatchAsync(run, learned, token),
        OrderKind.Verify => GuardAsync(run, FailureClass.Verification, () => VerifyAsync(run, token), learned),
        OrderKind.Submit => GuardAsync(run, FailureClass.Workspace, () => workspace.SubmitAsync(run, token), learned),
        OrderKind.Stop => StopAsync(run, learned, token),
        _ => throw new InvalidOperationException($"No way to do {order.Kind}."),
    };

    private async Task WakeAsync(Run run, bool again, Func<Func<Run, Run>, ValueTask> learned, CancellationToken token)
    {
        var process = run.Process ?? (again ? launcher.FindStarted(run) : null);
        if (process is null && !run.IsEnding)
        {
            switch (launcher.Start(run))
            {
                case LaunchOutcome.Started started:
                    process = started.Process;
                    LogAgentStarted(run.Id, run.TaskId, process.Pid, run.Profile.Name);
                    break;
                case LaunchOutcome.NotStarted notStarted:
                    LogWakeNotStarted(run.Id, run.WakeAttempt, notStarted.Why.Reason);
                    _ = RefillAsync(run.Profile, CancellationToken.None); // Finds out whether the next one can be, and says so where not.
                    await learned(now => AfterFailedWake(now, notStarted.Why, end: null));
                    return;
            }
        }
        else if (process is not null)
        {
            LogAgentAdopted(run.Id, run.TaskId, process.Pid);
        }

        if (process is null)
        {
            await learned(now => AfterFailedWake(now, new Failure(FailureClass.Unknown, "nothing was started"), end: null));
            return;
        }

        var kills = run.Profile.Mode == WakeMode.Run ? OomKills.Count() : null;
        await learned(now => now with { Process = process, Facts = now.Facts with { OomKillsBefore = now.Facts.OomKillsBefore ?? kills } });
        _ = RefillAsync(run.Profile, CancellationToken.None);
        if (run.Profile.Mode == WakeMode.Signal)
        {
            await watch.EndOfAsync(process).WaitAsync(token);
            var end = await EndOfAsync(run);
            await learned(now => AfterSignal(now, end));
        }
    }

    /// <summary>Gets a berth ready for the next wake.</summary>
    public Task RefillAsync(WakeProfile profile, CancellationToken stopping) => berths.RefillAsync(profile, stopping);

    /// <summary>Removes what an earlier daemon had made ready and nobody used.</summary>
    public void Sweep(IReadOnlySet<string> openRuns) => berths.Sweep(openRuns);

    private static Run AfterSignal(Run run, ProcessEnd end) => end.ExitCode == 0
        ? run with { Facts = run.Facts with { End = end, WakeReturned = true } }
        : AfterFailedWake(run, new Failure(FailureClass.AgentError, $"the wake command ended with {(end.ExitCode is { } code ? $"exit code {code}" : "no recorded exit code")}")
        {
            Retryable = end.ExitCode is not (126 or 127),
        }, end);

    // A cause that another attempt cannot mend, and the last attempt, end the run; anything else waits for its turn.
    private static Run AfterFailedWake(Run run, Failure why, ProcessEnd? end)
    {
        var last = !why.Retryable || run.WakeAttempt > run.Profile.Retries || run.IsEnding;
        return run with { Facts = run.Facts with { End = end, WakeProblem = why, Failure = last ? run.Facts.Failure ?? why : run.Facts.Failure } };
    }

    private async Task PauseAsync(Run run, Func<Func<Run, Run>, ValueTask> learned, CancellationToken token)
    {
        await Task.Delay(run.Profile.RetryDelay * Math.Pow(2, run.WakeAttempt - 1), time, token);
        await learned(now => now with { Facts = now.Facts with { WakeAgainDue = true } });
    }

    private async Task WatchAsync(Run run, Func<Func<Run, Run>, ValueTask> learned, CancellationToken token)
    {
        var directory = launcher.RunDirectory(run);
        var end = run.Profile.Mode == WakeMode.Run ? watch.EndOfAsync(run.Process!) : Task.Delay(Timeout.InfiniteTimeSpan, time, token);
        var alive = run.Profile.Mode == WakeMode.Run ? Task.Delay(run.Profile.AliveFor, time, token) : null;
        var (started, reported) = (run.Facts.Received, run.Facts.Report is not null);
        while (!end.IsCompleted)
        {
            var tick = Task.Delay(LookForReports, time, token);
            await (alive is null or { IsCompleted: true } ? Task.WhenAny(end, tick) : Task.WhenAny(end, tick, alive));
            token.ThrowIfCancellationRequested();
            if (alive is { IsCompleted: true } && !end.IsCompleted && Recorder.ReadNote(launcher.RecordDirectory(run)) is not null)
            {
                // The note says that the recorder has taken its order; without it nothing was launched, however long it lives.
                alive = null;
                await learned(now => now with { Facts = now.Facts with { StayedAlive = true } });
            }

            if (!started && results.HasStarted(run))
            {
                started = true;
                await learned(now => now with { Facts = now.Facts with { Received = true } });
            }

            if (!reported && results.Read(run, directory, final: false) is { } report)
            {
                reported = true;
                await learned(now => now with { Facts = now.Facts with { Received = true, Report = now.Facts.Report ?? report } });
            }
        }

        await LearnEndAsync(run, learned);
    }

    private async Task StopAsync(Run run, Func<Func<Run, Run>, ValueTask> learned, CancellationToken token)
    {
        var process = run.Process!;
        if (process.IsAlive())
        {
            LogAgentStopping(run.Id, run.TaskId, process.Pid, config.Deadlines.KillGrace);
            Signals.ToGroup(process.Pid, Signals.Terminate);
            await Task.WhenAny(watch.EndOfAsync(process), Task.Delay(config.Deadlines.KillGrace, time, token));
            token.ThrowIfCancellationRequested();
            if (process.IsAlive())
            {
                Signals.ToGroup(process.Pid, Signals.Kill);
                await watch.EndOfAsync(process).WaitAsync(token);
            }
        }

        await LearnEndAsync(run, learned);
    }

    private async Task LearnEndAsync(Run run, Func<Func<Run, Run>, ValueTask> learned)
    {
        var report = results.Read(run, launcher.RunDirectory(run), final: true);
        var end = await EndOfAsync(run);
        var turn = TurnOf(run, end);
        await learned(now => now with { Facts = now.Facts with { End = now.Facts.End ?? end, Report = now.Facts.Report ?? report, Turn = now.Facts.Turn ?? turn } });
    }

    private AgentTurn? TurnOf(Run run, ProcessEnd end)
    {
        var directory = launcher.RecordDirectory(run);
        var output = new TurnOutput(end, end.OutOfMemory, TextLines.Read(Recorder.Output(directory)), TextTail.Read(Recorder.Errors(directory), ErrorsRead));
        return AgentAdapters.Of(run.Profile).ReadTurn(run.Profile, output) is { } turn
            ? turn with { Reason = Clean(turn.Reason), Output = Clean(turn.Output) }
            : null;
    }

    private string? Clean(string? text) => text is null ? null : redactor.Clean(Printable.Tail(text, WireLimits.MaxResultOutput));

    private async Task<ProcessEnd> EndOfAsync(Run run)
    {
        // The turn is over: helpers that the agent left would hold its files and its memory for ever, and after a KILL the agent
        // itself may take a moment longer to go than its recorder. They are known by their nonce, because the number of a group
        // that has ended may belong to somebody else by now.
        while (run.Profile.Mode == WakeMode.Run && ProcessScan.AllByNonce(run.Nonce) is { Count: > 0 } leftovers)
        {
            foreach (var leftover in leftovers)
            {
                Signals.ToProcess(leftover.Pid, Signals.Kill);
            }

            await Task.WhenAll(leftovers.Select(watch.EndOfAsync));
        }

        var directory = launcher.RecordDirectory(run);
        var errors = TextTail.Read(Recorder.Errors(directory), 1000);
        var output = TextTail.Read(Recorder.Output(directory), 900);
        var end = Recorder.ReadEnd(directory, time.GetUtcNow());
        return end with
        {
            LastOutput = redactor.Clean($"{output}\n{errors}".Trim()),
            OutOfMemory = end.Signal == Signals.Kill && OomKills.Count() is { } kills && kills > (run.Facts.OomKillsBefore ?? kills),
        };
    }

    private async Task<RunFacts> VerifyAsync(Run run, CancellationToken token)
    {
        var facts = await workspace.VerifyAsync(run, token);
        return facts.Verification is { Status: "fail" } report
            ? facts with { Failure = new Failure(FailureClass.Verification, "the work was checked and does not hold: " + string.Join("; ", report.Checks.Where(check => check.Status == "fail").Select(check => $"{check.Type} {check.Target}: {check.Detail}"))) }
            : facts;
    }

    private async Task GuardAsync(Run run, string failureClass, Func<Task<RunFacts>> work, Func<Func<Run, Run>, ValueTask> learned)
    {
        try
        {
            var facts = await work();
            await learned(now => now with { Facts = Merge(now.Facts, facts) });
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            var reason = redactor.Clean(fault.Message);
            LogOrderFailed(run.Id, run.State.Word(), reason, (fault as SidecarException)?.Hint ?? "look at the directory named there");
            await learned(now => now with { Facts = now.Facts with { Failure = new Failure(failureClass, reason) } });
        }
    }

    // The order saw the run as it was when it began; what others learned meanwhile stays.
    private static RunFacts Merge(RunFacts now, RunFacts found) => now with
    {
        Workspace = found.Workspace, Branch = found.Branch, BaseCommit = found.BaseCommit, RemoteAtStart = found.RemoteAtStart,
        Verification = found.Verification, Commit = found.Commit, CommitsAhead = found.CommitsAhead, Delivered = found.Delivered,
        Failure = now.Failure ?? found.Failure,
    };

    [LoggerMessage(EventIds.AgentStarted, LogLevel.Information, "{Run} started the agent for {Task}: recorder pid {Pid}, profile {Profile}", EventName = "AgentStarted")]
    private partial void LogAgentStarted(string run, string task, int pid, string profile);

    [LoggerMessage(EventIds.AgentAdopted, LogLevel.Information, "{Run} found the agent that an earlier process started for {Task}: pid {Pid}", EventName = "AgentAdopted")]
    private partial void LogAgentAdopted(string run, string task, int pid);

    [LoggerMessage(EventIds.WakeNotStarted, LogLevel.Warning, "{Run} wake attempt {Attempt} started nothing: {Reason}", EventName = "WakeNotStarted")]
    private partial void LogWakeNotStarted(string run, int attempt, string reason);

    [LoggerMessage(EventIds.AgentStopping, LogLevel.Information, "{Run} stopping the agent of {Task}, group {Pid}: TERM now, KILL in {Grace}", EventName = "AgentStopping")]
    private partial void LogAgentStopping(string run, string task, int pid, TimeSpan grace);

    [LoggerMessage(EventIds.OrderFailed, LogLevel.Warning, "{Run} failed while {State}: {Reason}; {Hint}", EventName = "OrderFailed")]
    private partial void LogOrderFailed(string run, string state, string reason, string hint);
}
