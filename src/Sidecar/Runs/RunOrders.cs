using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Forge;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Identity;
using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>Carries orders out and brings back what was learned. Every order may be given again after a crash.</summary>
internal sealed partial class RunOrders(
    SidecarConfig config, AgentLauncher launcher, IAgentHost host, Berths berths, AgentWatcher watcher, AgentEnds ends, Preparation preparation, Fences fences, Verification verification, Delivery delivery,
    PullRequests pullRequests, IdentityCheck identity, ProcessWatch watch, Redactor redactor, StoreReserve reserve,
    TimeProvider time, ILogger<RunOrders> log)
{
    // Longer than the reserve waits for its owner to look.
    private const int MostOnFullDisk = 6;
    private static readonly TimeSpan FullDiskPause = TimeSpan.FromSeconds(3);

    /// <summary>Does one order and hands over each thing that it finds out.</summary>
    public async Task RunAsync(OrderScene scene)
    {
        if (PointOf(scene.Order.Kind) is { } point)
        {
            FaultPoints.At(point);
        }

        await DoAsync(scene);
    }

    private static FaultPoint? PointOf(OrderKind kind) => kind switch
    {
        OrderKind.Prepare => FaultPoint.Prepare,
        OrderKind.Wake => FaultPoint.Wake,
        OrderKind.Pause => FaultPoint.Pause,
        OrderKind.Verify => FaultPoint.Verify,
        OrderKind.Submit => FaultPoint.Submit,
        OrderKind.Stop => FaultPoint.Stop,
        _ => null,
    };

    private Task DoAsync(OrderScene scene) => scene.Order.Kind switch
    {
        OrderKind.Prepare => GuardAsync(scene, FailureClass.Workspace, CrashPointName.Prepared, () => preparation.PrepareAsync(scene.Run, scene.Token)),
        OrderKind.Wake => WakeAsync(scene),
        OrderKind.Pause => PauseAsync(scene),
        OrderKind.Watch => watcher.WatchAsync(scene),
        OrderKind.Verify => GuardAsync(scene, FailureClass.Verification, CrashPointName.Verified, () => VerifyAsync(scene.Run, scene.Token)),
        OrderKind.Submit => GuardAsync(scene, FailureClass.Workspace, CrashPointName.Pushed, () => SubmitAsync(scene.Run, scene.Token)),
        OrderKind.Stop => StopAsync(scene),
        _ => throw new InvalidOperationException($"No way to do {scene.Order.Kind}."),
    };

    /// <summary>What the machine says of a run that the last process left. After this, what was not found will not start any more.</summary>
    public async ValueTask<(ProcessFact Fact, ProcessIdentity? Process)> WitnessAsync(Run run)
    {
        FaultPoints.At(FaultPoint.Witness);
        var process = run.Process ?? (BootRules.RowOf(run) == RowFact.Intent ? await host.FindStartedAsync(run) : null);
        if (process is not null && !process.IsAlive() && run.Facts.End is null)
        {
            await host.AwaitEndAsync(run); // Its last word may be on its way still.
        }

        return process switch
        {
            null => (run.Profile.Mode == WakeMode.Signal && run.Facts.WakeReturned ? ProcessFact.Elsewhere : ProcessFact.None, null),
            _ when process.IsAlive() => (ProcessFact.Alive, process),
            _ when run.Profile.Mode == WakeMode.Signal && run.Facts.WakeReturned => (ProcessFact.Elsewhere, process),
            _ => (host.ReadEnd(run).ExitCode is null ? ProcessFact.Vanished : ProcessFact.Ended, process),
        };
    }

    private async Task WakeAsync(OrderScene scene)
    {
        var run = scene.Run;
        var (process, with) = (run.Process, run.Facts.WokenWith);
        if (process is not null)
        {
            LogAgentAdopted(run.Id, run.TaskId, process.Pid);
        }
        else if (run.IsEnding)
        {
            // Nothing may be started any more, but something may have been: the order broke, or its run ended while it went on.
            if (await host.FindStartedAsync(run) is { } found)
            {
                await scene.LearnAsync(now => now with { Process = found });
                return;
            }

            await scene.LearnAsync(now => AfterFailedWake(now, new Failure(FailureClass.Unknown, "nothing was started"), end: null));
            return;
        }
        else if (await identity.RefusesAsync() is { } foreign)
        {
            // An agent that was somebody else when it woke would do somebody else's work in our name.
            LogWakeNotStarted(run.Id, run.TaskId, run.WakeAttempt, foreign);
            await scene.LearnAsync(now => AfterFailedWake(now, new Failure(FailureClass.Config, foreign), end: null));
            return;
        }
        else if (scene.Now().IsEnding)
        {
            // It was cancelled, or its deadline passed, while its identity was read.
            await scene.LearnAsync(now => AfterFailedWake(now, new Failure(FailureClass.Unknown, "nothing was started"), end: null));
            return;
        }
        else
        {
            scene.Token.ThrowIfCancellationRequested();
            switch (await launcher.StartAsync(run, CancellationToken.None))
            {
                case LaunchOutcome.Started started:
                    (process, with) = (started.Process, new WokenWith(run.Profile.WithVariablesOf(null), config.ResultsOf(run.Id)));
                    FaultPoints.At(FaultPoint.Woken);
                    LogAgentStarted(run.Id, run.TaskId, process.Pid, run.Profile.Name);
                    break;
                case LaunchOutcome.NotStarted notStarted:
                    LogWakeNotStarted(run.Id, run.TaskId, run.WakeAttempt, notStarted.Why.Reason);
                    _ = RefillAsync(run.Profile, CancellationToken.None); // Finds out whether the next one can be, and says so where not.
                    await scene.LearnAsync(now => AfterFailedWake(now, notStarted.Why, end: null));
                    return;
            }
        }

        CrashPoints.At(CrashPointName.Woken);
        var kills = run.Profile.Mode == WakeMode.Run ? OomKills.Count() : null;
        await scene.LearnAsync(now => now with { Process = process, Facts = now.Facts with { WokenWith = with, OomKillsBefore = now.Facts.OomKillsBefore ?? kills } });
        _ = RefillAsync(run.Profile, CancellationToken.None);
        if (run.Profile.Mode == WakeMode.Signal)
        {
            await watch.EndOfAsync(process!).WaitAsync(scene.Token);
            var end = await ends.OfAsync(run, scene.Token);
            await scene.LearnAsync(now => AfterSignal(now, end));
        }
    }

    /// <summary>What git is doing for a run and what failed last; null where there is nothing to tell.</summary>
    public string? Doing(string runId) => preparation.Doing(runId) is { } doing ? redactor.Clean(doing) : null;

    /// <summary>Tells the run's clone which generation is current, or that none is.</summary>
    public void Fence(Run run)
    {
        try
        {
            fences.Set(run);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogOrderFailed(run.Id, run.TaskId, run.State.Word(), fault.Message, "the hooks in its clone do not know of the change; submit does");
        }
    }

    /// <summary>Ends the agents of runs that are no longer known.</summary>
    public Task<IReadOnlyList<string>> StopUnknownAsync(IReadOnlyCollection<Run> open) => host.StopUnknownAsync(open);

    /// <summary>Gets a berth ready for the next wake.</summary>
    public Task RefillAsync(WakeProfile profile, CancellationToken stopping) => berths.RefillAsync(profile, stopping);

    /// <summary>Removes what an earlier daemon had made ready and nobody used.</summary>
    public void Sweep(IReadOnlySet<string> openRuns) => berths.Sweep(openRuns);

    private static Run AfterSignal(Run run, ProcessEnd end) => end.ExitCode == 0
        ? run with { Facts = run.Facts with { End = end, WakeReturned = true } }
        : AfterFailedWake(run, new Failure(EndJudge.ClassOf(end), $"the wake command ended with {(end.ExitCode is { } code ? $"exit code {code}" : "no recorded exit code")}")
        {
            Retryable = end.ExitCode is not (126 or 127),
        }, end);

    // A cause that another attempt cannot mend, and the last attempt, end the run; anything else waits for its turn.
    private static Run AfterFailedWake(Run run, Failure why, ProcessEnd? end)
    {
        var last = !why.Retryable || run.WakeAttempt > run.Profile.Retries || run.IsEnding;
        return run with { Facts = run.Facts with { End = end, WakeProblem = why, Failure = last ? run.Facts.Failure ?? why : run.Facts.Failure } };
    }

    private async Task PauseAsync(OrderScene scene)
    {
        await Task.Delay(scene.Run.Profile.RetryDelay * Math.Pow(2, scene.Run.WakeAttempt - 1), time, scene.Token);
        await scene.LearnAsync(now => now with { Facts = now.Facts with { WakeAgainDue = true } });
    }

    private async Task StopAsync(OrderScene scene)
    {
        var (run, token) = (scene.Run, scene.Token);
        var process = run.Process!;
        if (process.IsAlive())
        {
            var state = host.Describe(run);
            LogAgentStopping(run.Id, run.TaskId, process.Pid, config.Deadlines.KillGrace, state);
            await scene.LearnAsync(now => now with { Facts = now.Facts with { ProcessState = now.Facts.ProcessState ?? state } });
            await host.StopAsync(run, config.Deadlines.KillGrace, token);
        }

        await ends.LearnAsync(scene);
    }

    /// <summary>Ends an agent whose stop cannot be stored yet; the stop that is stored later finds it gone, or tries again.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Nobody waits for it, and what failed is tried again by the order.")]
    public async Task StopNowAsync(Run run, CancellationToken token)
    {
        try
        {
            await host.StopAsync(run, config.Deadlines.KillGrace, token);
        }
        catch (Exception fault)
        {
            LogOrderFailed(run.Id, run.TaskId, "a stop without the store", fault.Message, "it is tried again when the store can be written");
        }
    }

    private async Task<RunFacts> VerifyAsync(Run run, CancellationToken token)
    {
        var facts = await verification.RunAsync(run, token);
        return facts.Verification is { Status: "fail" } report
            ? facts with { Failure = new Failure(FailureClass.Verification, "the work was checked and does not hold: " + string.Join("; ", report.Checks.Where(check => check.Status == "fail").Select(check => $"{check.Type} {check.Target}: {check.Detail}"))) }
            : facts;
    }

    // In this order: what the forge says or does not say cannot cost the work any more.
    private async Task<RunFacts> SubmitAsync(Run run, CancellationToken token) =>
        await pullRequests.EnsureAsync(run, await delivery.SubmitAsync(run, token), token);

    private async Task GuardAsync(OrderScene scene, string failureClass, CrashPointName step, Func<Task<RunFacts>> work)
    {
        var run = scene.Run;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await host.ReclaimAsync(run.Id, run.Facts.Workspace);
                var facts = await work();
                CrashPoints.At(step);
                await scene.LearnAsync(now => now with { Facts = Merge(now.Facts, facts) });
                return;
            }
            catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
            {
                var (reason, isFull) = (redactor.Clean(fault.Message), reserve.IsDiskFull);
                if (isFull && scene.Order.Kind != OrderKind.Prepare && attempt < MostOnFullDisk)
                {
                    // The agent is gone, and what it has done needs little: the reserve is given up meanwhile.
                    reserve.IsWanted = true;
                    try
                    {
                        await Task.Delay(FullDiskPause, time, scene.Token);
                    }
                    finally
                    {
                        reserve.IsWanted = false; // Also where the run was cancelled meanwhile: a later step must not get it.
                    }

                    continue;
                }

                LogOrderFailed(run.Id, run.TaskId, run.State.Word(), reason, (fault as SidecarException)?.Hint ?? "look at the directory named there");
                await scene.LearnAsync(now => now with { Facts = now.Facts with { Failure = new Failure((isFull && fault is IOException or GitException { Code: GitFaults.DiskFull }) || fault is StillGivenException ? FailureClass.Workspace : failureClass, reason) } });
                return;
            }
        }
    }

    // The order saw the run as it was when it began; what others learned meanwhile stays.
    private static RunFacts Merge(RunFacts now, RunFacts found) => now with
    {
        Workspace = found.Workspace, Branch = found.Branch, BaseCommit = found.BaseCommit, StartCommit = found.StartCommit, TargetBranch = found.TargetBranch, RemoteAtStart = found.RemoteAtStart,
        Verification = found.Verification, Commit = found.Commit, CommitsAhead = found.CommitsAhead, Delivered = found.Delivered,
        Diff = found.Diff, PullRequest = found.PullRequest,
        Failure = now.Failure ?? found.Failure,
    };

    [LoggerMessage(EventIds.AgentStarted, LogLevel.Information, "{Run} started the agent for {Task}: pid {Pid}, profile {Profile}", EventName = "AgentStarted")]
    private partial void LogAgentStarted(string run, string task, int pid, string profile);

    [LoggerMessage(EventIds.AgentAdopted, LogLevel.Information, "{Run} found the agent that an earlier process started for {Task}: pid {Pid}", EventName = "AgentAdopted")]
    private partial void LogAgentAdopted(string run, string task, int pid);

    [LoggerMessage(EventIds.WakeNotStarted, LogLevel.Warning, "{Run} {Task} wake attempt {Attempt} started nothing: {Reason}", EventName = "WakeNotStarted")]
    private partial void LogWakeNotStarted(string run, string task, int attempt, string reason);

    [LoggerMessage(EventIds.AgentStopping, LogLevel.Information, "{Run} stopping the agent of {Task}, group {Pid}: TERM now, KILL in {Grace}; {State}", EventName = "AgentStopping")]
    private partial void LogAgentStopping(string run, string task, int pid, TimeSpan grace, string state);

    [LoggerMessage(EventIds.OrderFailed, LogLevel.Warning, "{Run} {Task} failed while {State}: {Reason}; {Hint}", EventName = "OrderFailed")]
    private partial void LogOrderFailed(string run, string task, string state, string reason, string hint);
}
