using FleetSidecar.Agents.Outputs;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Agents.Units;

/// <summary>Each run's agent in a systemd unit of its own, as one of the agents' users: everything it starts is found, limited and ended with it.</summary>
/// <remarks>
/// The unit's name is made of the run's id and its slot, which stays the same until the run is over, so a start that is asked for twice is one start; the order names the attempt's
/// record, and an order whose record has a note is not carried out again. How the agent ended is written down by the unit's
/// last command, whether or not the sidecar is there.
/// </remarks>
internal sealed partial class UnitHost(SidecarConfig config, AgentUnits units, AgentSlots slots, UnitStart start, RunModes modes, ProcessWatch watch, TimeProvider time, ILogger<UnitHost> log) : IAgentHost
{
    private static readonly TimeSpan StopAgain = TimeSpan.FromSeconds(5), EndTakesAtMost = TimeSpan.FromSeconds(15), LookAgain = TimeSpan.FromMilliseconds(50);

    public string LostGuarantees => "";

    public async ValueTask<LaunchOutcome> StartAsync(LaunchPlan plan, CancellationToken token)
    {
        var run = plan.Run;
        var record = Recorder.Directory(plan.RunDirectory, run.WakeAttempt);
        var order = new UnitOrder(record, plan.Workspace, plan.Input, AgentEnvironment.ForUnit(plan.RunDirectory, run, plan.Workspace, config), plan.Command);
        if (order.Problem is { } problem)
        {
            return new LaunchOutcome.NotStarted(new Failure(FailureClass.Config, problem) { Retryable = false });
        }

        try
        {
            await ReclaimAsync(run.Id, run.Facts.Workspace);
        }
        catch (StillGivenException fault)
        {
            return new LaunchOutcome.NotStarted(new Failure(FailureClass.Workspace, fault.Message));
        }

        // The agent that a signal wakes has a unit and a user that the operator chose. An earlier profile of the same run may have had a slot.
        if (run.Profile.Mode != WakeMode.Run)
        {
            slots.GiveBack(run.Id);
        }
        else if (AgentSlots.Count() is var count && count == 0 && run.Profile.Network != NetworkPolicy.All)
        {
            return new LaunchOutcome.NotStarted(NetworkRules.Refusal(run.Profile, NetworkRules.NoUsers));
        }
        else if (!slots.Take(run.Id, count, run.Profile.Network))
        {
            return new LaunchOutcome.NotStarted(new Failure(FailureClass.Unknown, $"each of this machine's {count} users for agents has a run"));
        }

        Directory.CreateDirectory(plan.RunDirectory);
        foreach (var link in Directory.EnumerateFileSystemEntries(plan.RunDirectory).Where(entry => PathFacts.Of(entry) is { Kind: PathKind.Link }).ToList())
        {
            File.Delete(link); // The agent of an earlier attempt may have put it there, in the place of a directory too; nothing is written through it.
        }

        if (PathFacts.Of(record) is { } planted)
        {
            ClearPlace.Rename(record, planted); // Nor is a note believed that lay there before.
        }

        ClearPlace.For(Path.Combine(plan.RunDirectory, "results"));
        Directory.CreateDirectory(Path.Combine(plan.RunDirectory, "results"));
        Directory.CreateDirectory(record);
        AgentOutput.Make(record);
        UnitEnd.MakeRoom(record);
        plan.WriteFiles();
        var (process, why) = await start.StartAsync(run.Id, order, lent: run.Profile.Mode == WakeMode.Signal, token);
        return process is not null ? new LaunchOutcome.Started(process) : new LaunchOutcome.NotStarted(new Failure(FailureClass.Unknown, why!));
    }

    public async ValueTask<ProcessIdentity?> FindStartedAsync(Run run)
    {
        var record = RecordDirectory(run);
        var unit = units.NameOf(run.Id);
        if (await units.BelieveAsync(unit, Recorder.ReadNote(record)) is { } known)
        {
            return known;
        }

        // A start that was asked for may be under way still: after the stop there is a note, or there will never be one. Where it
        // cannot be stopped, another start of the same unit is no second one.
        await units.StopAsync(unit);
        return await units.BelieveAsync(unit, Recorder.ReadNote(record));
    }

    public async Task<IReadOnlyList<string>> StopUnknownAsync(IReadOnlyCollection<Run> open)
    {
        var known = open.Where(run => run.TakesSlot).Select(run => units.NameOf(run.Id)).ToHashSet(); // A step of one that is over is nobody's.
        var stopped = new List<string>();
        foreach (var unit in (await units.ListAsync()).Where(unit => !known.Contains(unit)))
        {
            if (!(await units.ShowAsync(unit)).IsOver)
            {
                stopped.Add(unit);
                await units.SignalAsync(unit, "KILL", CancellationToken.None);
            }

            await units.BeginStopAsync(unit); // Nobody waits: what is left of it is dead, and taking its directories back can take a while.
            await units.ForgetAsync(unit);
        }

        return stopped;
    }

    public async Task AwaitEndAsync(Run run)
    {
        var unit = units.NameOf(run.Id);
        for (var started = time.GetTimestamp(); time.GetElapsedTime(started) < EndTakesAtMost && UnitEnd.IsMissing(RecordDirectory(run)); await Task.Delay(LookAgain, time, CancellationToken.None))
        {
            if ((await units.ShowAsync(unit)).IsOver)
            {
                return;
            }
        }
    }

    public string Describe(Run run) => ProcessReport.Describe(run.Process is { } process ? ControlGroup.MembersOf(process) : []);

    public async Task StopAsync(Run run, TimeSpan grace, CancellationToken token)
    {
        var unit = units.NameOf(run.Id);
        await units.SignalAsync(unit, "TERM", token);
        await Task.WhenAny(watch.EndOfAsync(run.Process!), Task.Delay(grace, time, token));
        token.ThrowIfCancellationRequested();
        if (run.Process!.IsAlive())
        {
            await units.SignalAsync(unit, "KILL", token);
        }

        await EndAsync(unit, token);
    }

    public async Task SettleAsync(Run run, CancellationToken token)
    {
        var unit = units.NameOf(run.Id);
        await EndAsync(unit, token);
        await units.ForgetAsync(unit);

        // A signal was given and its agent works elsewhere from now on: the directories stay lent to it.
        if (run.Profile.Mode != WakeMode.Signal || run.Facts.WakeReturned || ReadEnd(run).ExitCode != 0)
        {
            start.Withdraw(run.Id);
            try
            {
                await modes.CloseAsync(run.Id, isEnding: true, CancellationToken.None);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                LogStillGiven(run.Id, run.TaskId, fault.Message); // The run is over all the same; whoever reads there next tries again.
            }
        }
    }

    public ProcessEnd ReadEnd(Run run) => UnitEnd.Read(RecordDirectory(run), time.GetUtcNow());

    public async Task ReclaimAsync(string run, string? workspace)
    {
        var directory = Path.Combine(config.RunsDirectory, run);
        if (RunModes.IsOurs(directory) && RunModes.IsOurs(workspace) && !modes.AreGiven(run))
        {
            return;
        }

        start.Withdraw(run);
        await units.StopAsync(units.NameOf(run));
        await modes.CloseAsync(run, isEnding: false, CancellationToken.None);
    }

    // A run is over when nothing of it lives, and not before: whoever takes its task next must be alone with it.
    private async Task EndAsync(string unit, CancellationToken token)
    {
        for (var said = false; ; await Task.Delay(StopAgain, time, token))
        {
            var stopped = await units.StopAsync(unit);
            if ((await units.ShowAsync(unit)).IsOver)
            {
                return;
            }

            if (!said)
            {
                LogAgentNotStopped(unit, Printable.Cut(stopped.Error.Trim().Split('\n')[0], 300), StopAgain);
                said = true;
            }
        }
    }

    private string RecordDirectory(Run run) => Recorder.Directory(Path.Combine(config.RunsDirectory, run.Id), run.WakeAttempt);

    [LoggerMessage(EventIds.DirectoriesStillGiven, LogLevel.Error, "{Run}: the directories of {Task} are not ours alone after its end, so git reads nothing in there: {Reason}; they are looked at again", EventName = "DirectoriesStillGiven")]
    private partial void LogStillGiven(string run, string task, string reason);

    [LoggerMessage(EventIds.AgentNotStopped, LogLevel.Error, "the unit {Unit} cannot be stopped: {Reason}; its run is not over while it lives, trying again every {Pause}", EventName = "AgentNotStopped")]
    private partial void LogAgentNotStopped(string unit, string reason, TimeSpan pause);
}
