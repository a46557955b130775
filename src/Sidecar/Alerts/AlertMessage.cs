using System.Text.Json.Serialization;

namespace FleetSidecar.Alerts;

/// <summary>What a hook gets, as JSON in snake_case.</summary>
/// <param name="Rule">What kind of thing, for example <c>deadman.hung</c>; the same for the same trouble.</param>
/// <param name="Severity"><c>critical</c>, <c>warning</c> or <c>resolved</c>.</param>
/// <param name="Agent">The agent's id; empty where the configuration cannot be read.</param>
/// <param name="Host">The machine's name.</param>
/// <param name="Message">What is wrong, one line.</param>
/// <param name="Hint">What to do, one line.</param>
/// <param name="AtUnixMs">When, unix milliseconds.</param>
internal sealed record AlertMessage(string Rule, string Severity, string Agent, string Host, string Message, string Hint, long AtUnixMs);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(AlertMessage))]
internal sealed partial class AlertJson : JsonSerializerContext;
