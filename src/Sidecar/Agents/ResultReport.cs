using System.Text.Json;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Reads an agent's result file. Pure.</summary>
/// <remarks>
/// What can be meant in one way only is taken for it: a byte order mark, UTF-16, half of an emoji, capitals and
/// spaces around the status.
/// What cannot is refused with its name: two statuses, a trailing comma, a second document behind the first.
/// </remarks>
internal static class ResultReport
{
    /// <summary>Longest file that is read, bytes.</summary>
    public const int Largest = 1024 * 1024;

    private static readonly string[] Statuses = [AgentReport.Success, AgentReport.Failed, AgentReport.HandOff];
    private static readonly string[] Keys = ["status", "output", "reason", "error"];

    /// <summary>The report, or null and why there is none, in words that follow "the result file".</summary>
    public static AgentReport? Read(ReadOnlySpan<byte> bytes, out string? problem)
    {
        if (bytes.IsEmpty)
        {
            problem = "is empty";
            return null;
        }

        if (OutsideJson.Element(bytes, out var fault, out var repaired) is not { } root)
        {
            problem = $"is not JSON: {fault}";
            return null;
        }

        problem = Complaint(root);
        if (problem is not null)
        {
            return null;
        }

        var (status, reason) = (Status(Text(root, "status")!), Text(root, "reason") ?? Text(root, "error"));
        return new AgentReport(status, Text(root, "output"), reason) { Repaired = repaired };
    }

    private static string? Complaint(JsonElement root) => root switch
    {
        { ValueKind: not JsonValueKind.Object } =>
            $"is not a JSON object but {root.ValueKind.ToString().ToLowerInvariant()}",
        _ when Twice(root) is { } key => $"says '{key}' twice",
        _ when !root.TryGetProperty("status", out _) => "has no status",
        _ when root.GetProperty("status").ValueKind == JsonValueKind.Null => "has no status",
        _ when root.GetProperty("status").ValueKind != JsonValueKind.String => "has a status that is no text",
        _ => null,
    };

    private static string? Twice(JsonElement root) =>
        Keys.FirstOrDefault(key => root.EnumerateObject().Count(property => property.NameEquals(key)) > 1);

    private static string Status(string said) =>
        Array.Find(Statuses, known => known.Equals(said.Trim(), StringComparison.OrdinalIgnoreCase)) ?? said;

    private static string? Text(JsonElement root, string name) =>
        !root.TryGetProperty(name, out var value) ? null : value.ValueKind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.String => value.GetString(),
            _ => value.GetRawText(),
        };
}
