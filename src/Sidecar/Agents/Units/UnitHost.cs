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
internal sealed class UnitHost(SidecarConfig config, AgentUnits units, UnitStart start, ProcessWatch watch, TimeProvider time) : IAgentHost
{
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

        await ReclaimAsync(run.Id, run.Facts.Workspace);
        Directory.CreateDirectory(Path.Combine(plan.RunDirectory, "results"));
        Directory.CreateDirectory(record);
        foreach (var link in Directory.GetFiles(plan.RunDirectory).Where(file => PathFacts.Of(file) is { Kind: PathKind.Link }))
        {
            File.Delete(link); // The agent of an earlier attempt may have put it there; it is not written through.
        }

        plan.WriteFiles();
        var (process, why) = await start.StartAsync(run.Id, order, lent: run.Profile.Mode == WakeMode.Signal, token);
        return process is not null ? new LaunchOutcome.Started(process) : new LaunchOutcome.NotStarted(new Failure(FailureClass.Unknown, why!));
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
}
