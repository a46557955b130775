using System.Text.Json;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Gemini's token counts, which have other names in its stream than in its single document. Summed over models, because it asks small ones where to go.</summary>
internal static class GeminiStats
{
    /// <summary>The model that did most of the work.</summary>
    public static string? Model(JsonElement record) =>
        record.Members("stats", "models").OrderByDescending(model => Total(model.Value) ?? 0).Select(model => model.Name).FirstOrDefault();

    public static TokenUse? Tokens(JsonElement record)
    {
        var models = record.Members("stats", "models").Select(model => model.Value).ToList();
        return models.Count == 0 ? null : new TokenUse
        {
            Input = Sum(models, model => model.Tokens("tokens", "input") ?? model.Tokens("input")),
            Output = Sum(models, model => model.Tokens("tokens", "candidates") + (model.Tokens("tokens", "thoughts") ?? 0) ?? model.Tokens("output_tokens")),
            CacheRead = Sum(models, model => model.Tokens("tokens", "cached") ?? model.Tokens("cached")),
            Total = Sum(models, Total) ?? 0,
        };
    }

    private static long? Total(JsonElement model) => model.Tokens("tokens", "total") ?? model.Tokens("total_tokens");

    private static long? Sum(IEnumerable<JsonElement> models, Func<JsonElement, long?> part) =>
        models.Select(part).Aggregate((long?)null, JsonRead.Plus);
}
