namespace FleetSidecar.Agents.Adapters;

/// <summary>Any program: argv as configured, with what the run gives filled in. Its end is judged by exit code and by what it reports.</summary>
internal sealed class CommandAdapter : IAgentAdapter
{
    public string Name => "command";

    public AdapterProblem? Check(WakeProfile profile) => OpenClawWords.CronWake(profile)
        ?? (profile.OpenClaw is null ? null : new("openClaw", "means nothing to the adapter command", "leave it out, or set adapter to openclaw"));

    /// <summary>Its output and its commits show that it works, whoever it is.</summary>
    public string HighestLevel(WakeProfile profile) => WakeLevels.Progressing;

    public IReadOnlyDictionary<string, string> Environment(WakeProfile profile) => new Dictionary<string, string>();

    public WakeCall Call(WakeProfile profile, WakeSubject subject) => new([.. profile.Command.Select(part => Fill(part, subject))]);

    public AgentTurn? ReadTurn(WakeProfile profile, TurnOutput output) => null;

    public IReadOnlyList<string>? ProbeCommand(WakeProfile profile) => null;

    public ProbeFinding ReadProbe(string output, long wokenAtUnixMs) => new ProbeFinding.Nothing();

    public IReadOnlyList<string>? VersionCommand(WakeProfile profile) => null;

    public string? CheckVersion(string printed) => null;

    /// <summary>Replaces the placeholders inside one element; an element never becomes two.</summary>
    public static string Fill(string part, WakeSubject subject) => part
        .Replace("{taskFile}", subject.TaskFile, StringComparison.Ordinal)
        .Replace("{taskId}", subject.TaskId, StringComparison.Ordinal)
        .Replace("{workspace}", subject.Workspace, StringComparison.Ordinal)
        .Replace("{runDir}", subject.RunDirectory, StringComparison.Ordinal)
        .Replace("{nonce}", subject.Nonce, StringComparison.Ordinal);
}
