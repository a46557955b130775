using FleetSidecar.Configuration;
using System.CommandLine;
using FleetSidecar.Agents;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;

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
        var command = new Command("logs", "Print the output of a run's agent.\n\nExample:\n  fleet-sidecar logs task-0123456789abcdef --follow") { run, follow, errors, config, set };
        command.SetAction(async (arguments, token) =>
        {
            var socket = SidecarCommands.Load(arguments).SocketFile;
            var view = await FindAsync(socket, arguments.GetValue(run)!, token);
            if (!Directory.Exists(view.Directory))
            {
                throw new SidecarException($"the files of {view.RunId} are gone", $"somebody removed {view.Directory}");
            }

            await PrintAsync(view, socket, arguments.GetValue(follow), arguments.GetValue(errors), token);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task PrintAsync(RunView view, string socket, bool follow, bool errors, CancellationToken token)
    {
        var offset = 0L;
        while (true)
        {
            var directory = Recorder.Directory(view.Directory, Math.Max(1, view.WakeAttempt));
            var over = view.Outcome is not null || view.ExitCode is not null;
            offset = await CopyAsync(errors ? Recorder.Errors(directory) : Recorder.Output(directory), offset, token);
            if (!follow || over)
            {
                return;
            }

            await Task.Delay(LookAgain, TimeProvider.System, token);
            view = await FindAsync(socket, view.RunId, token);
        }
    }

    private static async Task<long> CopyAsync(string path, long offset, CancellationToken token)
    {
        // The agent owns that place: a link of its own would have us print what only we may read.
        await using var file = OutsideFile.Stream(path);
        if (file is null)
        {
            return offset;
        }

        file.Seek(offset, SeekOrigin.Begin);
        await file.CopyToAsync(Terminal.Raw, token);
        await Terminal.Raw.FlushAsync(token);
        return file.Position;
    }

    private static async Task<RunView> FindAsync(string socket, string id, CancellationToken token)
    {
        var response = await ControlClient.AskAsync(socket, new ControlRequest { Verb = "run", Run = id }, token);
        return response.Ok ? response.Runs![0] : throw new SidecarException(response.Error!, response.Hint!);
    }
}
