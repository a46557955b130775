using System.Text.Json;
using FleetSidecar.Agents.Adapters;
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
internal sealed class AgentLauncher(SidecarConfig config, ResultFiles results, Berths berths)
{
    private const int NoSuchFile = 2, NotPermitted = 13;
    private const int MostRecorders = 3;
    private const string NoInput = "/dev/null";
    private static readonly TimeSpan KillTakesAtMost = TimeSpan.FromSeconds(5);

    public string RunDirectory(Run run) => Path.Combine(config.RunsDirectory, run.Id);

    public string RecordDirectory(Run run) => Recorder.Directory(RunDirectory(run), run.WakeAttempt);

    /// <summary>Looks for what an earlier process of ours may have started for this attempt. After this, what was not found will not start any more.</summary>
    public ProcessIdentity? FindStarted(Run run)
    {
        if (Recorder.ReadNote(RecordDirectory(run)) is { } known)
        {
            return known;
        }

        // A recorder of this run without a note has no agent yet, but may be about to: it is ended before it can, and then there
        // is a note or there will never be one. Whatever else carries the nonce is what we look for.
        foreach (var undecided in ProcessScan.AllByNonce(run.Nonce).Where(ProcessScan.IsRecorder))
        {
            Signals.ToProcess(undecided.Pid, Signals.Kill);
            SpinWait.SpinUntil(() => !undecided.IsAlive(), KillTakesAtMost);
        }

        return Recorder.ReadNote(RecordDirectory(run)) ?? ProcessScan.ByNonce(run.Nonce);
    }

    /// <summary>Ends agents whose runs nobody remembers (their recorders end with them): the hub will give their tasks out again, and two at once is worse than one begun anew.</summary>
    public IEnumerable<int> StopUnknown(IEnumerable<Run> open)
    {
        var known = open.Select(run => run.Nonce).ToHashSet();
        foreach (var process in ProcessScan.AllBelow(config.RunsDirectory).Where(process => !ProcessScan.IsRecorder(process) && ProcessScan.NonceOf(process) is { } nonce && !known.Contains(nonce)))
        {
            Signals.ToProcess(process.Pid, Signals.Kill);
            yield return process.Pid;
        }
    }

    public LaunchOutcome Start(Run run)
    {
        var runDirectory = RunDirectory(run);
        var subject = Subject(run, runDirectory);
        var call = AgentAdapters.Of(run.Profile).Call(run.Profile, subject);
        var order = Recorder.Order(run, subject.Workspace, call.PromptOnInput ? subject.PromptFile : NoInput, call.Command);
        try
        {
            var pid = Send(run, runDirectory, order, call.Prompt is { } prompt ? (subject.PromptFile, prompt) : null);

            // A zombie of ours keeps its pid until it is reaped, so the identity can still be read after the quickest of agents.
            return new LaunchOutcome.Started(ProcessIdentity.Of(pid) ?? Recorder.ReadNote(RecordDirectory(run)) ?? new ProcessIdentity(pid, 0, ProcessIdentity.CurrentBootId));
        }
        catch (SpawnException fault)
        {
            var forGood = fault.Error is NoSuchFile or NotPermitted;
            return new LaunchOutcome.NotStarted(new Failure(forGood ? FailureClass.Config : FailureClass.Unknown, fault.Message) { Retryable = !forGood });
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new LaunchOutcome.NotStarted(new Failure(FailureClass.Workspace, $"the run's directory cannot be written: {fault.Message}"));
        }
    }

    private int Send(Run run, string runDirectory, byte[] order, (string File, string Text)? prompt)
    {
        var task = JsonSerializer.SerializeToUtf8Bytes(run.Assignment, WireJson.Wire.TaskAssign);
        for (var attempt = 0; attempt < MostRecorders; attempt++)
        {
            var prepared = berths.Ready is { } ready && ready.RunId == run.Id;
            var berth = berths.Take(run.Id, run.Nonce, run.WakeAttempt, run.Profile);
            try
            {
                File.WriteAllBytes(Recorder.TaskFile(runDirectory), task);
                if (prompt is { } written)
                {
                    File.WriteAllText(written.File, written.Text);
                }

                results.PutAsideStale(run, runDirectory);
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

    private WakeSubject Subject(Run run, string runDirectory) => new()
    {
        Assignment = run.Assignment,
        TaskId = run.TaskId,
        Generation = run.Generation,
        RunId = run.Id,
        Nonce = run.Nonce,
        Attempt = run.WakeAttempt,
        RunDirectory = runDirectory,
        Workspace = run.Facts.Workspace ?? runDirectory,
        TimeLimit = config.Deadlines.WallClock,
        Socket = config.SocketFile,
        ResultsDirectory = config.ResultsDirectory,
        SidecarProgram = Environment.ProcessPath ?? "fleet-sidecar",
    };
}
