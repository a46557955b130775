using System.Text.Json;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Reads JSON that other programs wrote: what is missing or of another kind is null, never an exception.</summary>
internal static class JsonRead
{
    // A record that somebody wraps in noise is looked for from the end; each try parses once.
    private const int MostTries = 20;

    public static JsonElement? At(this JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
            {
                return null;
            }
        }

        return element;
    }

    public static string? Text(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.String } found ? found.GetString() : null;

    public static long? Number(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Number } found && found.TryGetInt64(out var value) ? value : null;

    public static decimal? Money(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Number } found && found.TryGetDecimal(out var value) ? value : null;

    public static bool? Flag(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path)?.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };

    public static IEnumerable<JsonElement> Items(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Array } found ? found.EnumerateArray() : [];

    public static IEnumerable<JsonProperty> Members(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Object } found ? found.EnumerateObject() : [];

    /// <summary>Every line that is a JSON object by itself.</summary>
    public static IEnumerable<JsonElement> Objects(IEnumerable<string> lines) =>
        lines.Where(line => line.StartsWith('{')).Select(Parse).OfType<JsonElement>();

    /// <summary>The last JSON object that begins at the left edge and goes on to the end, over as many lines as it takes.</summary>
    public static JsonElement? Whole(IEnumerable<string> lines)
    {
        var all = lines.ToList();
        var starts = Enumerable.Range(0, all.Count).Where(index => all[index].StartsWith('{')).Reverse().Take(MostTries);
        return starts.Select(index => Parse(string.Join('\n', all.Skip(index)))).FirstOrDefault(found => found is not null);
    }

    public static JsonElement? Parse(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
