using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;

namespace FleetSidecar.Import;

/// <summary>
/// The keys of a JSON file of AgentCom, read without trust: any key may be missing, null, or of any form.
/// </summary>
internal sealed class AgentComKeys(string file, JsonObject keys)
{
    private const int MostLength = 8_192;

    /// <summary>The file that the keys stand in.</summary>
    public string File => file;

    /// <summary>Every key whose value is not null.</summary>
    public IEnumerable<string> Names => keys.Where(pair => pair.Value is not null).Select(pair => pair.Key);

    /// <summary>Reads a file as AgentCom's own program would; a byte order mark is forgiven.</summary>
    /// <exception cref="ConfigurationException">It is no JSON object, or a text in it is none.</exception>
    public static AgentComKeys Parse(string file, byte[] bytes) =>
        new(file, ConfigSource.FromBytes(file, bytes).Keys);

    /// <summary>The same for a file that only helps: null where it is no JSON object.</summary>
    public static AgentComKeys? TryParse(string file, byte[] bytes) =>
        OutsideJson.Tree(bytes, OutsideJson.MaxDepth, out _, out _) is JsonObject keys
            ? new AgentComKeys(file, keys)
            : null;

    /// <summary>A text; null where the key is missing, null or empty.</summary>
    /// <exception cref="ConfigurationException">The value is no text, or a huge one.</exception>
    public string? Text(string key) =>
        keys[key] switch
        {
            null => null,
            JsonValue value when value.TryGetValue(out string? text) => text.Length switch
            {
                0 => null,
                > MostLength => throw new ConfigurationException(
                    $"{file}: '{key}' is longer than {MostLength} characters",
                    "is it the right file?"
                ),
                _ => text,
            },
            var other => throw Wrong(key, "a text", other),
        };

    /// <summary>The same for a key that the import can do without: its complaint in place of a fault.</summary>
    public (string? Text, string? Complaint) Optional(string key)
    {
        try
        {
            return (Text(key), null);
        }
        catch (ConfigurationException fault)
        {
            return (null, fault.Message[(file.Length + 2)..]);
        }
    }

    /// <summary>
    /// A number of milliseconds; null where the key is missing, null or zero, which AgentCom takes for its default.
    /// </summary>
    public (TimeSpan? Span, string? Complaint) Milliseconds(string key) =>
        keys[key] switch
        {
            null => (null, null),
            JsonValue value when value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) =>
                number switch
                {
                    0 => (null, null),
                    > 0 and < 1e12 => (TimeSpan.FromMilliseconds(number), null),
                    _ => (null, $"'{key}' is out of range"),
                },
            var other => (null, Wrong(key, "a number", other).Message[(file.Length + 2)..]),
        };

    /// <summary>A list of texts.</summary>
    public (IReadOnlyList<string> Texts, string? Complaint) List(string key)
    {
        if (keys[key] is null)
        {
            return ([], null);
        }

        if (keys[key] is not JsonArray items)
        {
            return ([], Wrong(key, "a list of texts", keys[key]!).Message[(file.Length + 2)..]);
        }

        var texts = items
            .Select(item =>
                item is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null
            )
            .ToList();
        return texts.Contains(null)
            ? ([], $"'{key}' holds something that is no text")
            : ([.. texts.OfType<string>().Distinct()], null);
    }

    /// <summary>Whether a key says anything; null says nothing.</summary>
    public bool Has(string key) => keys[key] is not null;

    /// <summary>Of a queue: the task that is under way, or null.</summary>
    public string? ActiveTask()
    {
        foreach (var place in (string[])["active", "recovering"])
        {
            if (keys[place] is JsonObject task && task["task_id"] is JsonValue id && id.TryGetValue(out string? text))
            {
                return text;
            }
        }

        return null;
    }

    private ConfigurationException Wrong(string key, string wanted, JsonNode found) =>
        new(
            $"{file}: '{key}' is not {wanted} but {Kind(found)}",
            $"correct '{key}' there; the import changes nothing in that file"
        );

    private static string Kind(JsonNode node) =>
        node.GetValueKind() switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            JsonValueKind.Number => "a number",
            JsonValueKind.String => "a text",
            _ => "true or false",
        };
}
