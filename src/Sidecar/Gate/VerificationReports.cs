using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Gate;

/// <summary>Reads the report of the checks out of what people have: a <c>task_complete</c>, a task of the hub's API, or a run of <c>runs --json</c>. Pure.</summary>
internal static class VerificationReports
{
    // Not a check of the work: it says that the forge was not reached.
    private const string OfTheForge = "pull_request";
    private static readonly string[] Good = ["task_complete", "completed", "success", "settled"];

    /// <summary>Null where there is no report in it.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static GateVerification? Read(byte[] json)
    {
        var root = OutsideJson.Strict(json, out var problem) ?? throw new JsonException(problem);
        var report = Member(root, "verification_report") ?? root;
        var result = Member(root, "result") ?? root;
        if (Text(report, "status") is not { } status || Member(report, "checks") is not { ValueKind: JsonValueKind.Array } checks)
        {
            return null;
        }

        var outcomes = checks.EnumerateArray().Where(check => Text(check, "type") != OfTheForge).Select(check => Text(check, "status") ?? "unknown").ToList();
        var commits = new[] { Text(root, "commit"), Text(result, "commit") }.OfType<string>().Distinct().ToList();
        return new GateVerification(Overall(status, outcomes), commits.Count > 1 ? "several commits" : commits.FirstOrDefault(), Member(root, "generation") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var generation) ? generation : null,
            Text(result, "base_commit"))
        {
            Branch = Text(result, "branch"),
            Task = Text(root, "task_id") ?? Text(root, "id"),
            SaysEnd = Ends(root, result).Any(),
            BadEnd = Ends(root, result).FirstOrDefault(end => !Good.Contains(end)),
        };
    }

    public static GateVerification Of(VerificationReport report, string? commit, long generation, string? baseCommit) =>
        new(Overall(report.Status, [.. report.Checks.Where(check => check.Type != OfTheForge).Select(check => check.Status)]), commit, generation, baseCommit);

    // What each form says of the whole: the wire its type, the hub its status, a run its outcome. A bare report says nothing.
    private static IEnumerable<string> Ends(JsonElement root, JsonElement result) => Member(root, "verification_report") is null ? [] :
        new[] { Text(root, "type"), Text(root, "status"), Text(root, "outcome"), Text(root, "state"), Text(result, "status") }.OfType<string>();

    // A report that passes as a whole and not in its parts does not pass.
    private static string Overall(string said, List<string> outcomes) =>
        said == "fail" || outcomes.Contains("fail") ? "fail"
        : said == "pass" && (outcomes.Count == 0 || outcomes.Any(outcome => outcome != "pass")) ? "skipped"
        : said;

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement element, string name) => Member(element, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;
}
