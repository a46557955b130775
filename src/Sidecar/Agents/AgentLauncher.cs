using System.Text;
using System.Text.Json;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Works out how a run's agent is called and has it started by the host.</summary>
internal sealed class AgentLauncher(SidecarConfig config, ResultFiles results, IAgentHost host)
{
    private const string NoInput = "/dev/null";

    public string RunDirectory(Run run) => Path.Combine(config.RunsDirectory, run.Id);

    public string RecordDirectory(Run run) => Recorder.Directory(RunDirectory(run), run.WakeAttempt);

    public async ValueTask<LaunchOutcome> StartAsync(Run run, CancellationToken token)
    {
        OwnModes.Restore(config); // An agent before this one may have removed what this one is given.
        var runDirectory = RunDirectory(run);
        var subject = Subject(run, runDirectory);
        var call = AgentAdapters.Of(run.Profile).Call(run.Profile, subject);
        try
        {
            return await host.StartAsync(new LaunchPlan(run, runDirectory, subject.Workspace, call.PromptOnInput ? subject.PromptFile : NoInput, call.Command, WriteFiles), token);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new LaunchOutcome.NotStarted(new Failure(FailureClass.Workspace, $"the run's directory cannot be written: {fault.Message}"));
        }

        void WriteFiles()
        {
            NewFile.Write(Recorder.TaskFile(runDirectory), JsonSerializer.SerializeToUtf8Bytes(run.Assignment, WireJson.Wire.TaskAssign));
            if (call.Prompt is { } prompt)
            {
                NewFile.Write(subject.PromptFile, Encoding.UTF8.GetBytes(prompt));
            }

            results.PutAsideStale(run, runDirectory);
        }
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
        Socket = config.AgentSocketFile,
        ResultsDirectory = config.ResultsOf(run.Id),
        SidecarProgram = Environment.ProcessPath ?? "fleet-sidecar",
    };
}
