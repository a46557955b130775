using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>Values for tests, by one word each.</summary>
internal static class Some
{
    public static WakeProfile Profile(string mode = WakeMode.Run) => new() { Name = "main", Mode = mode, Command = ["/bin/true"] };

    public static SidecarConfig Config(int slots = 1, string mode = WakeMode.Run) => new()
    {
        Agent = new AgentOptions { Id = "iris", MaxConcurrentRuns = slots },
        StateDirectory = "/tmp/never-used",
        Wake = new WakeOptions { Profiles = [Profile(mode)] },
    };

    public static HubMessage.TaskAssign Assign(string task = "task-1", long generation = 1, string? repo = null) =>
        new() { TaskId = task, Generation = generation, Description = "x", Repo = repo };

    public static RunInput.Assigned Assigned(HubMessage.TaskAssign assign) => new(assign, ReceivedAtUnixMs: 1);

    public static Run Run(RunState state = RunState.Working, string task = "task-1", long generation = 1, string mode = WakeMode.Run) => new()
    {
        Id = $"run-{task}-{generation}", TaskId = task, Generation = generation, State = state, Nonce = $"nonce-{task}-{generation}", Profile = Profile(mode),
        Assignment = Assign(task, generation), WakeAttempt = 1, CreatedAtUnixMs = 1, StateSinceUnixMs = 1,
        Process = state is RunState.Confirming or RunState.Working ? new ProcessIdentity(4242, 7, "boot") : null,
        Facts = state == RunState.Failed ? new RunFacts { Failure = new Failure(FailureClass.AgentError, "x") } : new RunFacts(),
    };

    public static RunBook Book(SidecarConfig config, Closure? closed = null) => new(config, _ => [], () => null, () => closed);
}
