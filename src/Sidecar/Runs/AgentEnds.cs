using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Collects what an agent that has ended left behind: exit status, last output, its report, its program's own record.</summary>
internal sealed class AgentEnds(AgentLauncher launcher, IAgentHost host, ResultFiles results, Redactor redactor)
{
    private const int ErrorsRead = 64 * 1024, ErrorsTold = 1000, OutputTold = 900;

    /// <summary>Hands everything over in one piece, so that it is judged in one piece.</summary>
    public async Task LearnAsync(OrderScene scene)
    {
        var run = scene.Run;
        var end = await OfAsync(run, scene.Token);
        var report = results.Read(run, launcher.RunDirectory(run), final: true); // Now that its directories are ours, whatever rights it gave the file.
        var turn = TurnOf(run, end);
        CrashPoints.At("result_written");
        await scene.LearnAsync(now => now with { Facts = now.Facts with { End = now.Facts.End ?? end, Report = now.Facts.Report ?? report, Turn = now.Facts.Turn ?? turn } });
    }

    /// <summary>How the process ended, after nothing of the turn is left.</summary>
    public async Task<ProcessEnd> OfAsync(Run run, CancellationToken token)
    {
        await host.SettleAsync(run, token);
        var directory = launcher.RecordDirectory(run);
        return host.ReadEnd(run) with
        {
            LastOutput = redactor.Clean($"{TextTail.Read(Recorder.Output(directory), OutputTold)}\n{TextTail.Read(Recorder.Errors(directory), ErrorsTold)}".Trim()),
        };
    }

    private AgentTurn? TurnOf(Run run, ProcessEnd end)
    {
        var directory = launcher.RecordDirectory(run);
        var output = new TurnOutput(end, end.OutOfMemory, TextLines.Read(Recorder.Output(directory)), TextTail.Read(Recorder.Errors(directory), ErrorsRead));
        return run.Profile.Mode == WakeMode.Run && AgentAdapters.Of(run.Profile).ReadTurn(run.Profile, output) is { } turn
            ? turn with { Reason = Clean(turn.Reason), Output = Clean(turn.Output) }
            : null;
    }

    private string? Clean(string? text) => text is null ? null : redactor.Clean(Printable.Tail(text, WireLimits.MaxResultOutput));
}
