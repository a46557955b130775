using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;

namespace FleetSidecar.Configuration;

/// <summary>What keys there are, read off the option classes themselves, so that checking and reading cannot disagree.</summary>
internal static class ConfigShape
{
    private static JsonTypeInfo Root => ConfigJson.Default.SidecarConfig;

    /// <summary>Refuses the first key that no option has.</summary>
    public static void RefuseUnknownKeys(ConfigSource source) => Walk(source.Keys, Root, source.Name, "");

    /// <summary>Puts a text into the tree as the kind of value that the option takes.</summary>
    public static void Set(JsonObject root, string[] path, string text, string sourceName)
    {
        var (node, shape) = (root, Root);
        for (var depth = 0; depth < path.Length; depth++)
        {
            var property = Find(shape, path[depth])
                ?? throw Unknown(sourceName, string.Join('.', path[..(depth + 1)]), shape, path[depth]);
            var next = shape.Options.GetTypeInfo(property.PropertyType);
            if (depth == path.Length - 1)
            {
                node[property.Name] = Value(text, property.PropertyType, next);
                return;
            }

            node[property.Name] ??= new JsonObject();
            node = node[property.Name] as JsonObject
                ?? throw new ConfigurationException($"{sourceName}: '{string.Join('.', path)}' is set twice", "keep one of the two");
            shape = next;
        }
    }

    private static JsonNode? Value(string text, Type type, JsonTypeInfo shape)
    {
        if (shape.Kind == JsonTypeInfoKind.Enumerable && text.Trim() != "null" && !text.TrimStart().StartsWith('['))
        {
            return new JsonArray([.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(item => JsonValue.Create(item))]);
        }

        if (type == typeof(string) || type == typeof(TimeSpan) || type.IsEnum)
        {
            return JsonValue.Create(text);
        }

        // What is no value is refused with the key's name when the tree is read.
        var tree = OutsideJson.Tree(Encoding.UTF8.GetBytes(text), ConfigSource.MaxDepth, out var problem, out _);
        return problem is null ? tree : JsonValue.Create(text);
    }

    private static void Walk(JsonNode? node, JsonTypeInfo shape, string source, string path)
    {
        switch (shape.Kind, node)
        {
            case (JsonTypeInfoKind.Object, JsonObject keys):
                foreach (var (name, value) in keys)
                {
                    var here = path.Length == 0 ? name : $"{path}.{name}";
                    var property = Find(shape, name) ?? throw Unknown(source, here, shape, name);
                    Walk(value, shape.Options.GetTypeInfo(property.PropertyType), source, here);
                }

                break;
            case (JsonTypeInfoKind.Enumerable, JsonArray items):
                for (var index = 0; index < items.Count; index++)
                {
                    if (items[index] is null)
                    {
                        throw new ConfigurationException($"{source}: '{path}[{index}]' is null", "write a value, or leave the entry out");
                    }

                    Walk(items[index], shape.Options.GetTypeInfo(shape.ElementType!), source, $"{path}[{index}]");
                }

                break;
        }
    }

    private static JsonPropertyInfo? Find(JsonTypeInfo shape, string name) =>
        shape.Kind == JsonTypeInfoKind.Object ? Usable(shape).FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) : null;

    private static IEnumerable<JsonPropertyInfo> Usable(JsonTypeInfo shape) => shape.Properties.Where(property => property.Set is not null);

    private static ConfigurationException Unknown(string source, string path, JsonTypeInfo shape, string name)
    {
        var nearest = shape.Kind == JsonTypeInfoKind.Object ? Nearest.To(name, Usable(shape).Select(property => property.Name)) : null;
        return new ConfigurationException($"{source}: unknown key '{path}'",
            nearest is null ? "run 'fleet-sidecar config schema' for the list of keys" : $"did you mean '{nearest}'?");
    }
}
