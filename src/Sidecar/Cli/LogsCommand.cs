using FleetSidecar.Configuration;
using System.CommandLine;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Outputs;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Cli;

/// <summary>Prints what an agent wrote, straight from the run's files.</summary>
internal static class LogsCommand
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    public static Command Create(Option<string> config, Option<string[]> set)
    {
        var run = new Argument<string>("RUN") { Description = "A run id, or a task id for its newest run" };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on until the run is over" };
        var errors = new Option<bool>("--stderr") { Description = "Print standard error instead of standard output" };
        var raw = new Option<bool>("--raw") { Description = "Do not show control characters on a terminal, but let it act on them" };
        var command = new Command("logs", "Print the output of a run's agent. On a terminal, characters that it would act on are shown as \\u001b and the like; into a file or another program the bytes go as they are.\n\nExample:\n  fleet-sidecar logs task-0123456789abcdef --follow") { run, follow, errors, raw, config, set };
        command.SetAction(async (arguments, token) =>
        {
            var socket = SidecarCommands.Load(arguments).SocketFile;
            var view = await FindAsync(socket, arguments.GetValue(run)!, token);
            if (!Directory.Exists(view.Directory))
            {
                throw new SidecarException($"the files of {view.RunId} are gone", $"retention removed them (section retention of the configuration), or {view.Directory} was removed by hand");
            }

            await using var output = Terminal.Output(arguments.GetValue(raw));
            await PrintAsync(view, socket, output, arguments.GetValue(follow), arguments.GetValue(errors), token);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task PrintAsync(RunView view, string socket, Stream output, bool follow, bool errors, CancellationToken token)
    {
        using var reader = new OutputReader();
        while (true)
        {
            var directory = Recorder.Directory(view.Directory, Math.Max(1, view.WakeAttempt));
            var over = view.Outcome is not null || view.ExitCode is not null;
            await reader.CopyAsync(errors ? Recorder.Errors(directory) : Recorder.Output(directory), output, token);
            if (!follow || over)
            {
                return;
            }

            await Task.Delay(LookAgain, TimeProvider.System, token);
            view = await FindAsync(socket, view.RunId, token);
        }
    }

    private static async Task<RunView> FindAsync(string socket, string id, CancellationToken token)
    {
        var response = await ControlClient.AskAsync(socket, new ControlRequest { Verb = "run", Run = id }, token);
        return response.Ok ? response.Runs![0] : throw new SidecarException(response.Error!, response.Hint!);
    }
}
