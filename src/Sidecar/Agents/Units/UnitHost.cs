using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents.Units;

/// <summary>Each run's agent in a systemd unit of its own, as the agents' user: everything it starts is found, limited and ended with it.</summary>
/// <remarks>
/// The unit's name is made of the run's id, so a start that is asked for twice is one start; the order in the run's directory names
/// the attempt's record, and an order whose record has a note is not carried out again. How the agent ended is written down by the
/// unit's last command, whether or not the sidecar is there.
/// </remarks>
internal sealed class UnitHost(SidecarConfig config, AgentUnits units, ProcessWatch watch, TimeProvider time) : IAgentHost
{
    private static readonly TimeSpan NoteTakesAtMost = TimeSpan.FromSeconds(10), Look = TimeSpan.FromMilliseconds(5);

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

        Directory.CreateDirectory(Path.Combine(plan.RunDirectory, "results"));
        Directory.CreateDirectory(record);
        plan.WriteFiles();
        Write(plan.RunDirectory, order, lent: run.Profile.Mode == WakeMode.Signal);
        var unit = units.NameOf(run.Id);
        var started = await units.StartAsync(unit, token);
        return await NoteAsync(record, unit) is { } process ? new LaunchOutcome.Started(process)
            : new LaunchOutcome.NotStarted(new Failure(FailureClass.Unknown, await WhyAsync(unit, started)));
    }

    public async ValueTask<ProcessIdentity?> FindStartedAsync(Run run)
    {
        var record = RecordDirectory(run);
        if (Recorder.ReadNote(record) is { } known)
        {
            return known;
        }

        // A start that was asked for may be under way still: after the stop there is a note, or there will never be one.
        await units.StopAsync(units.NameOf(run.Id));
        return Recorder.ReadNote(record);
    }

    public async Task<IReadOnlyList<string>> StopUnknownAsync(IReadOnlyCollection<Run> open)
    {
        var known = open.Select(run => units.NameOf(run.Id)).ToHashSet();
        var unknown = (await units.ListAsync()).Where(unit => !known.Contains(unit)).ToList();
        var stopped = new List<string>();
        foreach (var unit in unknown)
        {
            if (!(await units.ShowAsync(unit)).IsOver)
            {
                stopped.Add(unit);
            }

            await units.StopAsync(unit);
            await units.ForgetAsync(unit);
        }

        return stopped;
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

        await units.StopAsync(unit);
    }

    public async Task SettleAsync(Run run)
    {
        var unit = units.NameOf(run.Id);
        await units.StopAsync(unit);
        await units.ForgetAsync(unit);

        // A signal was given and its agent works elsewhere from now on: the directories stay lent to it.
        if (run.Profile.Mode != WakeMode.Signal || run.Facts.WakeReturned || ReadEnd(run).ExitCode != 0)
        {
            await ReclaimAsync(run.Id, run.Facts.Workspace);
        }
    }

    public ProcessEnd ReadEnd(Run run) => UnitEnd.Read(RecordDirectory(run), time.GetUtcNow());

    public async Task ReclaimAsync(string run, string? workspace)
    {
        var directory = Path.Combine(config.RunsDirectory, run);
        if (IsOurs(directory) && IsOurs(workspace))
        {
            return;
        }

        // Without an order the unit does nothing but hand over and take back.
        File.Delete(Path.Combine(directory, UnitOrder.LentFile));
        File.Delete(Path.Combine(directory, UnitOrder.FileName));
        var unit = units.NameOf(run);
        await units.StartAsync(unit, CancellationToken.None);
        await units.StopAsync(unit);
    }

    private static bool IsOurs(string? path) => path is null || PathFacts.Of(path) is not { } facts || facts.Owner == ControlGroup.OwnUser;

    private string RecordDirectory(Run run) => Recorder.Directory(Path.Combine(config.RunsDirectory, run.Id), run.WakeAttempt);

    private static void Write(string directory, UnitOrder order, bool lent)
    {
        if (lent)
        {
            File.WriteAllText(Path.Combine(directory, UnitOrder.LentFile), "");
        }
        else
        {
            File.Delete(Path.Combine(directory, UnitOrder.LentFile));
        }

        AtomicFile.Write(Path.Combine(directory, UnitOrder.FileName), order.Text);
    }

    // The note is the first thing the unit's program does; a unit that is over without one never became the agent.
    private async Task<ProcessIdentity?> NoteAsync(string record, string unit)
    {
        for (var started = time.GetTimestamp(); time.GetElapsedTime(started) < NoteTakesAtMost; await Task.Delay(Look, time, CancellationToken.None))
        {
            if (Recorder.ReadNote(record) is { } note)
            {
                return note;
            }

            if ((await units.ShowAsync(unit)).IsOver)
            {
                break;
            }
        }

        await units.StopAsync(unit);
        return Recorder.ReadNote(record);
    }

    private async Task<string> WhyAsync(string unit, ToolOutcome started)
    {
        var facts = await units.ShowAsync(unit);
        await units.ForgetAsync(unit);
        var said = Printable.Cut(started.Error.Trim().Split('\n')[0], 300);
        return $"the unit {unit} did not start the agent ({(facts.Load == "loaded" ? $"result {facts.Result}" : $"the unit is {facts.Load}")}){(said.Length > 0 ? $": {said}" : "")}; journalctl -u {unit} says more";
    }
}
