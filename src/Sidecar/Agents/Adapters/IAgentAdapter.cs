using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>How one kind of agent program is called, and how its end is read. Pure: no I/O, no clock; everything comes in and goes out as values.</summary>
internal interface IAgentAdapter
{
    /// <summary>The word for it in <c>wake.profiles[].adapter</c>.</summary>
    string Name { get; }

    /// <summary>What is wrong with a profile that names this adapter, or null. Rules that hold for every profile are checked elsewhere.</summary>
    AdapterProblem? Check(WakeProfile profile);

    /// <summary>The highest wake level that this adapter can prove for a profile; see <see cref="WakeLevels"/>.</summary>
    string HighestLevel(WakeProfile profile);

    /// <summary>Variables that the agent needs and that do not depend on the task. The profile's own win.</summary>
    IReadOnlyDictionary<string, string> Environment(WakeProfile profile);

    /// <summary>The exact argv for a task, and its prompt.</summary>
    WakeCall Call(WakeProfile profile, WakeSubject subject);

    /// <summary>Reads the end of a turn: good only with the program's own terminal record. Null where the adapter knows no such record (<c>command</c>).</summary>
    AgentTurn? ReadTurn(WakeProfile profile, TurnOutput output);

    /// <summary>Argv that shows whether a signal was heard, asked for every two seconds until the wake is proved; null where there is none.</summary>
    IReadOnlyList<string>? ProbeCommand(WakeProfile profile);

    /// <summary>Reads the answer to <see cref="ProbeCommand"/>.</summary>
    /// <param name="output">Its standard output.</param>
    /// <param name="wokenAtUnixMs">When the signal was given; anything older proves nothing.</param>
    ProbeFinding ReadProbe(string output, long wokenAtUnixMs);

    /// <summary>Argv that prints the program's version, costs no tokens and ends within seconds; null where there is none.</summary>
    IReadOnlyList<string>? VersionCommand(WakeProfile profile);

    /// <summary>What is wrong with the version that was printed, or null.</summary>
    string? CheckVersion(string printed);
}

/// <summary>A key below the profile, what is wrong with it, and what to do.</summary>
internal sealed record AdapterProblem(string Key, string Complaint, string Hint);

/// <summary>What to start. The prompt is written into a file first; standard input is that file or <c>/dev/null</c>, never a pipe.</summary>
/// <param name="Command">Program and arguments; nothing in it is longer than 4,096 characters or holds a line break.</param>
/// <param name="Prompt">What goes into <see cref="WakeSubject.PromptFile"/>, or null for no such file.</param>
/// <param name="PromptOnInput">Whether the agent reads the prompt from its standard input.</param>
internal sealed record WakeCall(IReadOnlyList<string> Command, string? Prompt = null, bool PromptOnInput = false);

/// <summary>Whom the agent is woken for.</summary>
internal sealed record WakeSubject
{
    public required HubMessage.TaskAssign Assignment { get; init; }

    public required string TaskId { get; init; }

    public required long Generation { get; init; }

    public required string RunId { get; init; }

    /// <summary>Proves to us who speaks. In the agent's environment already; part of a prompt only where the agent's tools do not see that.</summary>
    public required string Nonce { get; init; }

    /// <summary>From 1; a wake that is repeated because it could not be proved has the same number.</summary>
    public required int Attempt { get; init; }

    public required string RunDirectory { get; init; }

    public required string Workspace { get; init; }

    /// <summary>The agent's whole time for the task.</summary>
    public required TimeSpan TimeLimit { get; init; }

    /// <summary>Where the agent reports to, where its tools must be told.</summary>
    public required string Socket { get; init; }

    /// <summary>Where reports are left while no sidecar runs.</summary>
    public required string ResultsDirectory { get; init; }

    /// <summary>Our own program, absolute: what an agent's tools call, and what speaks to a gateway.</summary>
    public required string SidecarProgram { get; init; }

    public string TaskFile => Recorder.TaskFile(RunDirectory);

    public string PromptFile => Path.Combine(RunDirectory, "prompt.md");
}

/// <summary>What a probe says about a signal.</summary>
internal abstract record ProbeFinding
{
    private ProbeFinding()
    {
    }

    /// <summary>Nothing yet; ask again.</summary>
    public sealed record Nothing : ProbeFinding;

    /// <summary>The agent ran after the signal.</summary>
    public sealed record Ran(string? SessionId) : ProbeFinding;

    /// <summary>The agent tried and failed, one of <see cref="FailureClass"/>.</summary>
    public sealed record Failed(string Code, string Reason) : ProbeFinding;
}
