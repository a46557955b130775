using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Agents;

/// <summary>Agents as processes in sessions of their own, each below a recorder that outlives the sidecar. For machines without systemd.</summary>
internal sealed partial class DetachedHost(SidecarConfig config, Berths berths, ProcessWatch watch, TimeProvider time, ILogger<DetachedHost> log) : IAgentHost
{
    private const int NoSuchFile = 2, NotPermitted = 13;
    private const int MostRecorders = 3;
    private static readonly TimeSpan KillTakesAtMost = TimeSpan.FromSeconds(5), KernelTakesAtMost = TimeSpan.FromSeconds(30), OthersTakeAtMost = TimeSpan.FromSeconds(5);

    public string LostGuarantees =>
        "agents run as processes of the sidecar's user: they can read its token and its store, have no limits on memory, tasks and processor of their own, "
        + "and a process that empties its environment, leaves its session and loses its parent is not found at the end; "
        + "if a service manager ends everything that is in the sidecar's unit, agents end with it";

    public ValueTask<LaunchOutcome> StartAsync(LaunchPlan plan, CancellationToken token)
    {
        if (plan.Run.Profile.Network != NetworkPolicy.All)
        {
            return new(new LaunchOutcome.NotStarted(NetworkRules.Refusal(plan.Run.Profile, NetworkRules.NoUnits)));
        }

        var order = Recorder.Order(plan.Run, plan.Workspace, plan.Input, plan.Command);
        // Without a repository the agent works in the run's own directory. It is made with the berth, which says itself what is wrong.
        var directory = plan.Workspace == plan.RunDirectory ? "/" : plan.Workspace;
        if (StartFaults.Find(plan.Command[0], directory) is { } seen)
        {
            return new(new LaunchOutcome.NotStarted(ProblemOf(seen))); // The recorder is a shell: 127 is all that it would say.
        }

        try
        {
            var pid = Send(plan, order);

            // A zombie of ours keeps its pid until it is reaped, so the identity can still be read after the quickest of agents.
            return new(new LaunchOutcome.Started(ProcessIdentity.Of(pid) ?? Recorder.ReadNote(RecordDirectory(plan.Run)) ?? new ProcessIdentity(pid, 0, ProcessIdentity.CurrentBootId)));
        }
        catch (SpawnException fault)
        {
            var forGood = fault.Error is NoSuchFile or NotPermitted;
            return new(new LaunchOutcome.NotStarted(new Failure(forGood ? FailureClass.Config : FailureClass.Unknown, fault.Message) { Retryable = !forGood }));
        }
    }

    private static Failure ProblemOf(StartFault fault) => fault.Problem is StartProblem.DirectoryMissing or StartProblem.DirectoryClosed
        ? new Failure(FailureClass.Workspace, fault.Message)
        : new Failure(FailureClass.Config, fault.Message) { Retryable = false };

    public ValueTask<ProcessIdentity?> FindStartedAsync(Run run)
    {
        if (Recorder.ReadNote(RecordDirectory(run)) is { } known)
        {
            return new(known);
        }

        // A recorder of this run without a note has no agent yet, but may be about to: it is ended before it can, and then there
        // is a note or there will never be one. Whatever else carries the nonce is what we look for.
        foreach (var undecided in ProcessScan.AllByNonce(run.Nonce).Where(ProcessScan.IsRecorder))
        {
            Signals.ToProcess(undecided.Pid, Signals.Kill);
            SpinWait.SpinUntil(() => !undecided.IsAlive(), KillTakesAtMost);
        }

        return new(Recorder.ReadNote(RecordDirectory(run)) ?? ProcessScan.ByNonce(run.Nonce));
    }

    public Task<IReadOnlyList<string>> StopUnknownAsync(IReadOnlyCollection<Run> open)
    {
        // Their recorders end with them.
        var known = open.Select(run => run.Nonce).ToHashSet();
        var unknown = ProcessScan.AllBelow(config.RunsDirectory).FindAll(process => !ProcessScan.IsRecorder(process) && ProcessScan.NonceOf(process) is { } nonce && !known.Contains(nonce));
        unknown.ForEach(process => Signals.ToProcess(process.Pid, Signals.Kill));
        return Task.FromResult<IReadOnlyList<string>>(unknown.ConvertAll(process => $"process {process.Pid}"));
    }

    public string Describe(Run run) => ProcessReport.Describe(ProcessFamily.Of(run.Nonce, run.Process));

    public async Task StopAsync(Run run, TimeSpan grace, CancellationToken token)
    {
        var process = run.Process!;
        var family = ProcessFamily.Of(run.Nonce, process); // Now: once their parents are gone some are nobody's children.
        if (process.IsAlive() || family.Count > 0)
        {
            Signals.ToGroup(process.Pid, Signals.Terminate); // Else the number may be another group's by now.
        }

        await Task.WhenAny(watch.EndOfAsync(process), Task.Delay(grace, time, token));
        token.ThrowIfCancellationRequested();

        // The agent and its helpers first: the recorder then writes down how the agent ended. Only a recorder that does not is killed too.
        foreach (var member in family.Union(ProcessFamily.Of(run.Nonce, process)).Where(member => member.IsAlive() && !ProcessScan.IsRecorder(member)))
        {
            Signals.ToProcess(member.Pid, Signals.Kill);
        }

        await Task.WhenAny(watch.EndOfAsync(process), Task.Delay(grace, time, token));
        token.ThrowIfCancellationRequested();
        if (process.IsAlive())
        {
            Signals.ToGroup(process.Pid, Signals.Kill);
            var ended = watch.EndOfAsync(process);
            while (await Task.WhenAny(ended, Task.Delay(KernelTakesAtMost, time, token)) != ended && !Signals.IsKilled(process.Pid))
            {
                token.ThrowIfCancellationRequested();
            }

            token.ThrowIfCancellationRequested(); // What the kernel keeps is told when the run settles.
        }
    }

    public Task AwaitEndAsync(Run run) => Task.CompletedTask;

    public async Task SettleAsync(Run run, CancellationToken token)
    {
        // The turn is over: helpers that the agent left would hold its files and its memory for ever, and after a KILL the agent
        // itself may take a moment longer to go than its recorder. If somebody killed the recorder, the agent is among them.
        var ends = new Dictionary<ProcessIdentity, Task>();
        while (run.Profile.Mode == WakeMode.Run && ProcessFamily.Of(run.Nonce, run.Process) is { Count: > 0 } leftovers)
        {
            foreach (var leftover in leftovers)
            {
                Signals.ToProcess(leftover.Pid, Signals.Kill);
                if (!ends.TryGetValue(leftover, out var end) || end.IsCompleted)
                {
                    ends[leftover] = watch.EndOfAsync(leftover);
                }
            }

            var ended = Task.WhenAll(leftovers.Select(leftover => ends[leftover]));
            var most = leftovers.TrueForAll(leftover => Signals.IsOthers(leftover.Pid)) ? OthersTakeAtMost : KernelTakesAtMost;
            if (await Task.WhenAny(ended, Task.Delay(most, time, token)) == ended)
            {
                continue;
            }

            // What is killed runs none of its own code again, and what is another user's is not ours to end; to wait would hold the slot for ever.
            token.ThrowIfCancellationRequested();
            if (ProcessFamily.Of(run.Nonce, run.Process) is { Count: > 0 } stuck && stuck.TrueForAll(process => Signals.IsKilled(process.Pid) || Signals.IsOthers(process.Pid)))
            {
                LogAgentStuck(run.Id, run.TaskId, ProcessReport.Describe(stuck));
                return;
            }
        }
    }

    [LoggerMessage(EventIds.AgentStuck, LogLevel.Error, "{Run} processes of {Task} cannot be ended, because the kernel keeps them or they are another user's: {Processes}; the run ends without them", EventName = "AgentStuck")]
    private partial void LogAgentStuck(string run, string task, string processes);

    public Task ReclaimAsync(string run, string? workspace) => Task.CompletedTask;

    public ProcessEnd ReadEnd(Run run)
    {
        var end = Recorder.ReadEnd(RecordDirectory(run), time.GetUtcNow());
        return end with { OutOfMemory = end.Signal == Signals.Kill && OomKills.Count() is { } kills && kills > (run.Facts.OomKillsBefore ?? kills) };
    }

    private string RecordDirectory(Run run) => Recorder.Directory(Path.Combine(config.RunsDirectory, run.Id), run.WakeAttempt);

    private int Send(LaunchPlan plan, byte[] order)
    {
        for (var attempt = 0; attempt < MostRecorders; attempt++)
        {
            var run = plan.Run;
            var prepared = berths.Waiting == run.Id;
            var berth = berths.Take(run.Id, run.Nonce, run.WakeAttempt, run.Profile);
            try
            {
                plan.WriteFiles();
                NewFile.Write(Recorder.Room(RecordDirectory(run)), Recorder.Blanks);
                if (berth.TrySend(order))
                {
                    return berth.Pid;
                }

                // Somebody ended the recorder that waited. It had no order, so nothing runs, and the next berth is a fresh one.
            }
            catch (DirectoryNotFoundException) when (prepared)
            {
                // Somebody removed the directory that waited.
            }
            finally
            {
                berths.Return(berth);
            }
        }

        throw new IOException("every recorder was ended before it had its order");
    }
}
