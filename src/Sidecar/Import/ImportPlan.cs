using System.Text.Json.Nodes;

namespace FleetSidecar.Import;

/// <summary>
/// What an import will write: the keys of our configuration, the token apart from them, and a row for each key of the
/// old one.
/// </summary>
internal sealed record ImportPlan(
    string AgentId,
    JsonObject Keys,
    string Token,
    IReadOnlyList<ImportRow> Rows,
    IReadOnlyList<string> TokenStillIn
);
