using System.Text.RegularExpressions;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>What agents have in common whose command is one whole turn: only mode <c>run</c>, no probe, a terminal record on standard output.</summary>
/// <param name="name">The word in <c>wake.profiles[].adapter</c>.</param>
/// <param name="tried">The oldest version that this adapter was tried with.</param>
internal abstract partial class TurnAdapter(string name, Version tried) : IAgentAdapter
{
    public string Name => name;

    public virtual AdapterProblem? Check(WakeProfile profile) => OpenClawWords.CronWake(profile) ?? profile switch
    {
        { Mode: WakeMode.Signal } => new("mode", $"must be run for the adapter {name}", "its command is the agent's whole turn; leave mode out"),
        { OpenClaw: not null } => new("openClaw", $"means nothing to the adapter {name}", "leave it out, or set adapter to openclaw"),
        _ => null,
    };

    /// <summary>It prints as it works, and commits.</summary>
    public virtual string HighestLevel(WakeProfile profile) => WakeLevels.Progressing;

    public abstract IReadOnlyDictionary<string, string> Environment(WakeProfile profile);

    public abstract WakeCall Call(WakeProfile profile, WakeSubject subject);

    public abstract AgentTurn? ReadTurn(WakeProfile profile, TurnOutput output);

    public virtual IReadOnlyList<string>? ProbeCommand(WakeProfile profile) => null;

    public virtual ProbeFinding ReadProbe(string output, long wokenAtUnixMs) => new ProbeFinding.Nothing();

    public IReadOnlyList<string> VersionCommand(WakeProfile profile) => [profile.Command[0], "--version"];

    public string? CheckVersion(string printed) => Version.TryParse(VersionWord().Match(printed).Value, out var found)
        ? found < tried ? $"is {found}; {name} was tried with {tried} and later" : null
        : $"does not look like a version: '{Printable.Cut(printed.Trim(), 80)}'";

    /// <summary>The program, then <paramref name="verb"/>, then what the operator wants, then what must be: the last word wins in all of these programs.</summary>
    protected static List<string> Argv(WakeProfile profile, WakeSubject subject, ReadOnlySpan<string> verb, ReadOnlySpan<string> fixedArguments) =>
        [profile.Command[0], .. verb, .. profile.Command.Skip(1).Select(part => CommandAdapter.Fill(part, subject)), .. fixedArguments];

    /// <summary>The end of a turn that left no terminal record, whatever its exit code.</summary>
    /// <param name="output">What it left.</param>
    /// <param name="more">Lines of its own output that may say why.</param>
    protected AgentTurn NoRecord(TurnOutput output, string? more = null)
    {
        var how = output.End.ExitCode is { } code ? $"ended with exit code {code}" : "is gone";
        var last = output.Errors.Split('\n').LastOrDefault(line => !string.IsNullOrWhiteSpace(line)) ?? more;
        var passedOver = output.Lines.LongestPassedOver is > 0 and var length
            ? $" (a line of {length} bytes is longer than the {OutsideLines.LongestLine} that are read)"
            : "";
        var said = last is not null ? $": {Printable.Cut(last.Trim(), 300)}"
            : output.Lines.Read().Any(line => line.Length > 0) ? "; it printed no such record, 'fleet-sidecar logs' shows what it printed" : "; it printed nothing";
        return AgentTurn.Bad(FailureClassifier.Classify(output.End, output.OutOfMemory, output.Errors, more), $"{name} {how} without a record of how its turn went{passedOver}{said}");
    }

    /// <summary>A good turn, unless the end of its process contradicts the record, or something may that was not read.</summary>
    /// <param name="output">What it left.</param>
    /// <param name="turn">What the record says.</param>
    /// <param name="unreadBefore">How much was not read before the record; what comes before a program's last word does not matter.</param>
    protected AgentTurn Contradicted(TurnOutput output, AgentTurn turn, int unreadBefore = 0) => output switch
    {
        { End.ExitCode: not (null or 0) } => turn with
        {
            Ok = false,
            FailureCode = FailureClassifier.Classify(output.End, output.OutOfMemory, output.Errors) is var code && code == FailureClass.Unknown ? FailureClass.AgentError : code,
            Reason = $"{name} recorded a good turn and then ended with exit code {output.End.ExitCode}",
        },
        { Lines.Unread: var unread } when unread > unreadBefore => turn with
        {
            Ok = false,
            FailureCode = FailureClass.Unknown,
            Reason = $"{name} recorded a good turn, but a part of its output that may say otherwise was not read"
                + (output.Lines.LongestPassedOver is > 0 and var length ? $": a line of {length} bytes is longer than the {OutsideLines.LongestLine} that are read" : ": too many lines are no whole records"),
        },
        _ => turn,
    };

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?")]
    private static partial Regex VersionWord();
}
