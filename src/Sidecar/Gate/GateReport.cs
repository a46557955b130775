using System.Text;
using System.Text.Json.Serialization;
using FleetSidecar.Protocol;

namespace FleetSidecar.Gate;

/// <summary>The verdict with its reasons, as the command prints it.</summary>
internal sealed record GateReport
{
    private const int MostOfOneCode = 20;

    /// <summary><c>auto-merge</c>, <c>review</c> or <c>escalate</c>.</summary>
    public required string Verdict { get; init; }

    public required IReadOnlyList<GateReasonView> Reasons { get; init; }

    public required string Branch { get; init; }

    public string? Target { get; init; }

    public string? Head { get; init; }

    public string? TargetHead { get; init; }

    public string? MergeBase { get; init; }

    public string? Task { get; init; }

    public long? Generation { get; init; }

    public long? HighestGeneration { get; init; }

    public int? Files { get; init; }

    public long Insertions { get; init; }

    public long Deletions { get; init; }

    public static GateReport Of(GateFacts facts, IReadOnlyList<GateReason> reasons) => new()
    {
        Verdict = Word(GateRules.Verdict(reasons)), Branch = facts.Branch, Target = facts.Target, Head = facts.TargetHead is null ? null : facts.Head, TargetHead = facts.TargetHead,
        MergeBase = facts.MergeBase, Task = facts.Task, Generation = facts.Generation, HighestGeneration = facts.HighestGeneration, Files = facts.Files?.Count,
        Insertions = facts.Insertions, Deletions = facts.Deletions,
        Reasons = [.. reasons.OrderByDescending(reason => reason.Weight).GroupBy(reason => (reason.Weight, reason.Code)).SelectMany(Bounded)],
    };

    public string Text()
    {
        var text = new StringBuilder();
        text.AppendLine($"verdict   {Verdict}");
        text.AppendLine($"branch    {Printable.Cut(Branch, 200)}{(Head is null ? "" : $" at {Head}")}");
        text.AppendLine($"target    {(Target is null ? "unknown" : Printable.Cut(Target, 200))}{(TargetHead is null ? "" : $" at {TargetHead}")}");
        text.Append(Files is { } files ? $"change    {files} files, +{Insertions} -{Deletions}\n" : "");
        foreach (var reason in Reasons)
        {
            text.AppendLine($"{reason.Weight,-9} {reason.Code}: {reason.Detail}");
        }

        return text.ToString();
    }

    private static IEnumerable<GateReasonView> Bounded(IGrouping<(GateWeight Weight, string Code), GateReason> same)
    {
        foreach (var reason in same.Take(MostOfOneCode))
        {
            yield return new GateReasonView(Word(reason.Weight), reason.Code, Printable.Cut(reason.Detail, 400));
        }

        if (same.Count() is var all && all > MostOfOneCode)
        {
            yield return new GateReasonView(Word(same.Key.Weight), same.Key.Code, $"and {all - MostOfOneCode} more");
        }
    }

    private static string Word(GateWeight weight) => weight switch
    {
        GateWeight.AutoMerge => "auto-merge",
        GateWeight.Review => "review",
        GateWeight.Escalate => "escalate",
        _ => throw new InvalidOperationException($"No word for {weight}."),
    };
}

internal sealed record GateReasonView(string Weight, string Code, string Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(GateReport))]
internal sealed partial class GateJson : JsonSerializerContext;
