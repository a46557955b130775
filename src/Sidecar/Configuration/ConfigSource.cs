using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Ground;

namespace FleetSidecar.Configuration;

/// <summary>One place that settings come from (a file, the environment, the command line), already a tree of keys.</summary>
internal sealed record ConfigSource(string Name, JsonObject Keys)
{
    /// <summary>No setting lies deeper than a third of this.</summary>
    public const int MaxDepth = 16;

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = MaxDepth };

    /// <exception cref="ConfigurationException">It cannot be read, or is no JSON object.</exception>
    public static ConfigSource FromFile(string path) => FromBytes(path, ConfigFiles.ReadOne(path));

    /// <exception cref="ConfigurationException">It is no JSON object.</exception>
    public static ConfigSource FromBytes(string path, byte[] bytes)
    {
        try
        {
            var root = JsonNode.Parse(Encoding.UTF8.GetString(bytes).TrimStart('\uFEFF'), documentOptions: Lenient); // Some editors put a mark first.
            Open(root);
            return root is JsonObject keys
                ? new ConfigSource(path, keys)
                : throw new ConfigurationException($"{path}: the file is not a JSON object", "start from the shipped sidecar.json");
        }
        catch (JsonException fault)
        {
            throw new ConfigurationException($"{path}: line {fault.LineNumber + 1}: not valid JSON", "look for a missing quote, comma or bracket there", fault);
        }
        catch (ArgumentException fault)
        {
            throw new ConfigurationException($"{path}: a key stands there twice", "keep one of the two", fault);
        }
    }

    // The framework looks at an object's keys when they are first asked for, and only then finds one that stands there twice.
    private static void Open(JsonNode? node)
    {
        foreach (var below in node switch { JsonObject keys => keys.Select(pair => pair.Value), JsonArray items => items, _ => [] })
        {
            Open(below);
        }
    }

    /// <summary>Settings given as <c>Section__Key</c> (environment) or <c>section.key</c> (command line).</summary>
    public static ConfigSource FromPairs(string name, IEnumerable<(string[] Path, string Value)> pairs)
    {
        var root = new JsonObject();
        foreach (var (path, value) in pairs)
        {
            ConfigShape.Set(root, path, value, name);
        }

        return new ConfigSource(name, root);
    }
}
