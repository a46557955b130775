using FleetSidecar.Ground.Processes;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Where the processes of agents live, and what can be done with them there: units of the service manager, or processes of our own.</summary>
/// <remarks>Whatever the host, a run's processes outlive the sidecar and leave the same two notes: who the agent is, and how it ended.</remarks>
internal interface IAgentHost
{
    /// <summary>What operators should know of this host: empty where it gives every guarantee.</summary>
    string LostGuarantees { get; }

    /// <summary>Starts an agent, at most once for each attempt, whatever crashed in between.</summary>
    ValueTask<LaunchOutcome> StartAsync(LaunchPlan plan, CancellationToken token);

    /// <summary>Looks for what an earlier process of ours may have started for this attempt. After this, what was not found will not start any more.</summary>
    ValueTask<ProcessIdentity?> FindStartedAsync(Run run);

    /// <summary>Ends agents whose runs nobody remembers: the hub will give their tasks out again, and two at once is worse than one begun anew.</summary>
    /// <returns>What was ended, by name.</returns>
    Task<IReadOnlyList<string>> StopUnknownAsync(IReadOnlyCollection<Run> open);

    /// <summary>What the run's processes are doing: one line.</summary>
    string Describe(Run run);

    /// <summary>Asks the agent to end, and after the grace makes it.</summary>
    Task StopAsync(Run run, TimeSpan grace, CancellationToken token);

    /// <summary>Returns when nothing of the turn is left, whoever lingers; its directories are the sidecar's again.</summary>
    Task SettleAsync(Run run, CancellationToken token);

    /// <summary>Waits a moment for the last word of an agent that is gone; for the start, which must not wait for more.</summary>
    Task AwaitEndAsync(Run run);

    /// <summary>Sees to it that a run's directories are the sidecar's: they are not after a power cut, or while they are lent to a signal's agent.</summary>
    Task ReclaimAsync(string run, string? workspace);

    /// <summary>How the agent ended, as far as it was written down; to be asked after <see cref="SettleAsync"/>.</summary>
    ProcessEnd ReadEnd(Run run);
}

/// <summary>Everything that is needed to start one agent.</summary>
/// <param name="Run">For whom.</param>
/// <param name="RunDirectory">Its files.</param>
/// <param name="Workspace">Where it works.</param>
/// <param name="Input">What it reads from its standard input: a file or <c>/dev/null</c>.</param>
/// <param name="Command">Program and arguments.</param>
/// <param name="WriteFiles">Puts task, prompt and what else the agent reads into the run's directory; done right before the start.</param>
internal sealed record LaunchPlan(Run Run, string RunDirectory, string Workspace, string Input, IReadOnlyList<string> Command, Action WriteFiles);

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
