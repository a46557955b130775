using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.Outputs;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>Collects what an agent that has ended left behind: exit status, last output, its report, its program's own record.</summary>
internal sealed partial class AgentEnds(AgentLauncher launcher, IAgentHost host, ResultFiles results, KnownSecrets secrets, Redactor redactor, ILogger<AgentEnds> log)
{
    private const int ErrorsRead = 64 * 1024, ErrorsTold = 1000, OutputTold = 900, LongestSecret = 4096;

    /// <summary>Hands everything over in one piece, so that it is judged in one piece.</summary>
    /// <remarks>That the process has ended is told whatever it left: content that breaks a reader fails the run and cannot hold it open.</remarks>
    public async Task LearnAsync(OrderScene scene)
    {
        var run = scene.Run;
        var end = await OfAsync(run, scene.Token);
        var known = scene.Now().Facts.Report;
        var report = known;
        AgentTurn? turn = null;
        var broke = Broken("report", () => report ??= results.Read(run, launcher.RunDirectory(run), final: true)) // Its directories are ours now, whatever rights it gave the file.
            ?? Broken("turn record", () => turn = TurnOf(run, end));
        if (known is { } first)
        {
            // Before the end is known: the next wake's agent may leave a result of its own there.
            Broken("second report", () => results.TellSecond(run, launcher.RunDirectory(run), first));
        }

        CrashPoints.At(CrashPointName.ResultWritten);
        await scene.LearnAsync(now => now with
        {
            Facts = now.Facts with
            {
                End = now.Facts.End ?? end, Report = now.Facts.Report ?? report, Turn = now.Facts.Turn ?? turn, Failure = now.Facts.Failure ?? broke,
            },
        });
    }

    /// <summary>How the process ended, after nothing of the turn is left.</summary>
    public async Task<ProcessEnd> OfAsync(Run run, CancellationToken token)
    {
        await host.SettleAsync(run, token);
        secrets.Learn();
        var directory = launcher.RecordDirectory(run);
        var end = host.ReadEnd(run);
        var dropped = 0L;
        if (run.Profile.Mode == WakeMode.Signal && end.ExitCode == 0)
        {
            // The agent that was woken has the directories now, and may put links in the place of each name. What is open is not swapped.
            Broken("output", () => AgentOutput.Bound(directory, run.Profile.MaxOutputBytes));
        }
        else
        {
            Broken("output", () => dropped = AgentOutput.Settle(directory, run.Profile.MaxOutputBytes));
        }

        if (dropped > 0)
        {
            LogOutputDropped(run.Id, run.TaskId, dropped, run.Profile.MaxOutputBytes);
        }

        Broken("last output", () => end = end with
        {
            OutputDroppedBytes = dropped > 0 ? dropped : null,
            LastOutput = $"{Tail(Recorder.Output(directory), OutputTold)}\n{Tail(Recorder.Errors(directory), ErrorsTold)}".Trim(),
        });
        return end;
    }

    /// <summary>The failure that reading amounts to, or null where it went well.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "What an agent left behind must not keep its run from ending.")]
    private static Failure? Broken(string what, Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (Exception fault)
        {
            return new Failure(FailureClass.InternalError, $"the agent's {what} could not be read: {Printable.Cut(fault.Message, 500)}");
        }
    }

    private AgentTurn? TurnOf(Run run, ProcessEnd end)
    {
        FaultPoints.At(FaultPoint.Collect);
        var directory = launcher.RecordDirectory(run);
        var output = new TurnOutput(end, end.OutOfMemory, OutsideLines.Of(Recorder.Output(directory)), TextTail.Read(Recorder.Errors(directory), ErrorsRead));
        if (run.Profile.Mode != WakeMode.Run || AgentAdapters.Of(run.Profile).ReadTurn(run.Profile, output) is not { } turn)
        {
            return null;
        }

        if (output.Lines.Repaired > 0)
        {
            LogTextRepaired(run.Id, run.TaskId, "the output");
        }

        return turn with { Reason = Clean(turn.Reason), Output = Clean(turn.Output), SessionId = Clean(turn.SessionId), Provider = Clean(turn.Provider), Model = Clean(turn.Model) };
    }

    private string? Clean(string? text) => redactor.Tail(text, WireLimits.MaxResultOutput);

    // More is read than is told, and a cut is marked: what begins in the middle of a secret is cleaned away.
    private string Tail(string file, int length)
    {
        var read = TextTail.Read(file, length + LongestSecret);
        return redactor.Tail(read.Length < length + LongestSecret ? read : $"…{read}", length)!;
    }

    [LoggerMessage(EventIds.AgentTextRepaired, LogLevel.Warning, "{Run} {Task}: {What} of the agent held something that is no text, such as half of an emoji; U+FFFD stands in its place",
        EventName = "AgentTextRepaired")]
    private partial void LogTextRepaired(string run, string task, string what);

    [LoggerMessage(EventIds.OutputDropped, LogLevel.Warning, "{Run}: the agent of {Task} printed more than a wake keeps: {Dropped} bytes of the middle were dropped, head and tail of {Limit} bytes stay (maxOutputBytes of the profile)", EventName = "OutputDropped")]
    private partial void LogOutputDropped(string run, string task, long dropped, long limit);
}
