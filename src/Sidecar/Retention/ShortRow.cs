using System.Text.Json;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Retention;

/// <summary>What the row of a settled run keeps of its long texts. Pure.</summary>
/// <remarks>
/// A task is known by its id, its generation and how it ended, and its workspace by repository and branch: these stay word for word. What the
/// submitter attached was for the agent, whose work is over; a thousand rows with a megabyte each fill a disk.
/// </remarks>
internal static class ShortRow
{
    /// <summary>A column with fewer characters is left alone.</summary>
    public const int Length = 16 * 1024;

    private const int MaxText = 1000, MaxChecks = 20;

    /// <summary>The assignment without what only the agent needed; null where it is shorter already, or no assignment that this version reads.</summary>
    public static string? OfAssignment(string json) => json.Length > Length && OutsideJson.Read(json, WireJson.Wire.TaskAssign, out _) is { } assign
        ? JsonSerializer.Serialize(new HubMessage.TaskAssign
        {
            TaskId = assign.TaskId, Generation = assign.Generation, AssignedAt = assign.AssignedAt, Repo = assign.Repo, Branch = assign.Branch, Description = Cut(assign.Description),
        }, WireJson.Wire.TaskAssign)
        : null;

    /// <summary>The facts with long texts cut; how the run ended says the same as before. Null as with <see cref="OfAssignment"/>.</summary>
    public static string? OfFacts(string json) => json.Length > Length && OutsideJson.Read(json, RunJson.Default.RunFacts, out _) is { } facts
        ? JsonSerializer.Serialize(facts with
        {
            Report = Cut(facts.Report),
            EarlierReport = Cut(facts.EarlierReport),
            Turn = facts.Turn is { } turn ? turn with { Output = Cut(turn.Output), Reason = Cut(turn.Reason) } : null,
            End = facts.End is { } end ? end with { LastOutput = Cut(end.LastOutput) } : null,
            Failure = Cut(facts.Failure),
            WakeProblem = Cut(facts.WakeProblem),
            ProcessState = Cut(facts.ProcessState),
            Tried = [.. facts.Tried.Select(one => one with { Reason = Cut(one.Reason)! })],
            Verification = facts.Verification is { } checks
                ? checks with { Checks = [.. checks.Checks.Take(MaxChecks).Select(check => check with { Target = Cut(check.Target), Detail = Cut(check.Detail) })] } : null,
        }, RunJson.Default.RunFacts)
        : null;

    private static AgentReport? Cut(AgentReport? report) => report is null ? null : report with { Output = Cut(report.Output), Reason = Cut(report.Reason) };

    private static Failure? Cut(Failure? failure) => failure is null ? null : failure with { Reason = Cut(failure.Reason)! };

    private static string? Cut(string? text) => text is null ? null : Printable.Cut(text, MaxText);
}
