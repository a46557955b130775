using System.Text.Json.Nodes;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;

namespace FleetSidecar.Configuration;

/// <summary>One place that settings come from (a file, the environment, the command line), already a tree of keys.</summary>
internal sealed record ConfigSource(string Name, JsonObject Keys)
{
    /// <summary>No setting lies deeper than a third of this.</summary>
    public const int MaxDepth = 16;

    /// <exception cref="ConfigurationException">It cannot be read, or is no JSON object.</exception>
    public static ConfigSource FromFile(string path) => FromBytes(path, ConfigFiles.ReadOne(path));

    /// <remarks>
    /// Text that cannot be read is refused, where other readers put U+FFFD in its place: a token or a command with
    /// such a character in it is another one than its author meant.
    /// </remarks>
    /// <exception cref="ConfigurationException">It is no JSON object, or a text in it is none.</exception>
    public static ConfigSource FromBytes(string path, byte[] bytes)
    {
        var root = OutsideJson.Tree(bytes, MaxDepth, out var problem, out var repaired);
        return (root, problem) switch
        {
            (JsonObject, _) when repaired => throw new ConfigurationException(
                $"{path}: a text holds NUL, half of a character (as \\ud83d is), or bytes that are no UTF-8",
                "correct it there; nothing was taken from the file"),
            (JsonObject keys, _) => new ConfigSource(path, keys),
            (_, { IsDuplicate: true }) => throw new ConfigurationException($"{path}: a key stands there twice", "keep one of the two"),
            (_, not null) => throw new ConfigurationException($"{path}: line {problem.Line}: not valid JSON", "look for a missing quote, comma or bracket there"),
            _ => throw new ConfigurationException($"{path}: the file is not a JSON object", "start from the shipped sidecar.json"),
        };
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
