using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>What came of an attempt to start a wake command.</summary>
internal abstract record LaunchOutcome
{
    private LaunchOutcome()
    {
    }

    public sealed record Started(ProcessIdentity Process) : LaunchOutcome;

    /// <summary>Nothing runs.</summary>
    public sealed record NotStarted(Failure Why) : LaunchOutcome;
}

/// <summary>Starts the wake command of a run, at most once for each attempt, whatever crashed in between.</summary>
internal sealed class AgentLauncher(SidecarConfig config, ResultFiles results, RecorderPool recorders)
{
    private const int NoSuchFile = 2, NotPermitted = 13;
    private static readonly TimeSpan KillTakesAtMost = TimeSpan.FromSeconds(5);

    public string RunDirectory(Run run) => Path.Combine(config.RunsDirectory, run.Id);

    public string RecordDirectory(Run run) => Recorder.Directory(RunDirectory(run), run.WakeAttempt);

    /// <summary>Looks for what an earlier process of ours may have started for this attempt. After this, what was not found will not start any more.</summary>
    public ProcessIdentity? FindStarted(Run run)
    {
        if ((Recorder.ReadNote(RecordDirectory(run)) ?? ProcessScan.ByNonce(run.Nonce)) is { } known)
        {
            return known;
        }

        // A recorder of ours without a note has no agent yet, but may be about to: it is ended before it can, and then there is
        // a note or there will never be one.
        foreach (var undecided in ProcessScan.Recorders(config.StateDirectory).Where(process => !HasNote(process)))
        {
            Signals.ToProcess(undecided.Pid, Signals.Kill);
            SpinWait.SpinUntil(() => !undecided.IsAlive(), KillTakesAtMost);
        }

        return Recorder.ReadNote(RecordDirectory(run));
    }

    public LaunchOutcome Start(Run run)
    {
        var directory = RecordDirectory(run);
        Directory.CreateDirectory(RunDirectory(run));
        Directory.CreateDirectory(directory);
        var taskFile = Recorder.TaskFile(RunDirectory(run));
        var workspace = run.Facts.Workspace ?? RunDirectory(run);
        File.WriteAllBytes(taskFile, JsonSerializer.SerializeToUtf8Bytes(run.Assignment, WireJson.Wire.TaskAssign));
        results.PutAsideStale(run, RunDirectory(run));
        var order = Recorder.Order(run, RunDirectory(run), run.Profile.Command.Select(part => Fill(part, run, taskFile, workspace)));
        try
        {
            var pid = recorders.Send(run.Profile, order);

            // A zombie of ours keeps its pid until it is reaped, so the identity can still be read after the quickest of agents.
            return new LaunchOutcome.Started(ProcessIdentity.Of(pid) ?? Recorder.ReadNote(directory) ?? new ProcessIdentity(pid, 0, ProcessIdentity.CurrentBootId));
        }
        catch (SpawnException fault)
        {
            var forGood = fault.Error is NoSuchFile or NotPermitted;
            return new LaunchOutcome.NotStarted(new Failure(forGood ? FailureClass.Config : FailureClass.Unknown, fault.Message) { Retryable = !forGood });
        }
    }

    private bool HasNote(ProcessIdentity process) =>
        Directory.EnumerateDirectories(config.RunsDirectory).SelectMany(Directory.EnumerateDirectories).Any(directory => Recorder.ReadNote(directory) == process);

    private string Fill(string part, Run run, string taskFile, string workspace) => part
        .Replace("{taskFile}", taskFile, StringComparison.Ordinal)
        .Replace("{taskId}", run.TaskId, StringComparison.Ordinal)
        .Replace("{workspace}", workspace, StringComparison.Ordinal)
        .Replace("{runDir}", RunDirectory(run), StringComparison.Ordinal)
        .Replace("{nonce}", run.Nonce, StringComparison.Ordinal);
}
