using System.Collections;
using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Configuration;

/// <summary>Reads the configuration: the file, <c>conf.d/*.json</c> beside it in order, the environment, the command line; later wins.</summary>
/// <remarks>Each source is checked alone first, so that a complaint names the file that is wrong. Lists are replaced, not joined.</remarks>
internal static class ConfigLoader
{
    public const string DefaultPath = "/etc/fleet-sidecar/sidecar.json";
    private const string Prefix = "FLEET_SIDECAR__";

    /// <exception cref="ConfigurationException">Anything at all is wrong; the message names source and key.</exception>
    public static SidecarConfig Load(string path, IReadOnlyList<string> overrides)
    {
        var files = ConfigFiles.Read(path);
        var config = overrides.Count == 0 && ReadAlone(files) is { } plain && ConfigRules.FirstProblem(plain) is null ? plain : LoadAll(path, files, overrides);
        config.Origin = new ConfigOrigin(path, overrides, files);
        return config;
    }

    /// <summary>Judges a file that is not there yet, together with what lies beside its place.</summary>
    /// <exception cref="ConfigurationException">Anything at all is wrong.</exception>
    public static void Check(string path, byte[] text) =>
        LoadAll(path, new ConfigFiles([(path, text, null), .. ConfigFiles.More(path).Select(file => (file, ConfigFiles.ReadOne(file), (PathFacts?)null))]), []);

    /// <summary>Where things probably are for a file that cannot be used: by what can be read of it.</summary>
    public static SidecarConfig WhatIsReadable(string path)
    {
        var config = new SidecarConfig { Origin = new ConfigOrigin(path, []) };
        try
        {
            var keys = ConfigSource.FromFile(path).Keys;
            config.StateDirectory = Text(keys["stateDirectory"]) ?? config.StateDirectory;
            config.Control.Socket = keys["control"] is JsonObject control ? Text(control["socket"]) : null;
        }
        catch (ConfigurationException)
        {
        }

        return config;

        static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;
    }

    // A daemon has one good file, as a rule, and reads it while its agents wait for it. Anything else, a fault most of all, takes the thorough way.
    private static SidecarConfig? ReadAlone(ConfigFiles files)
    {
        try
        {
            return files.All.Count > 1 || Variables().Any() ? null : PlainFile.Read(files.All[0].Bytes);
        }
        catch (Exception fault) when (fault is JsonException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static SidecarConfig LoadAll(string path, ConfigFiles files, IReadOnlyList<string> overrides)
    {
        var sources = Sources(files, overrides).Where(source => source.Keys.Count > 0 || source.Name == path).ToList();
        foreach (var source in sources)
        {
            ConfigShape.RefuseUnknownKeys(source);
        }

        var config = Read(sources.Count == 1 ? sources[0] : Merge(path, sources));
        if (ConfigRules.FirstProblem(config) is { } problem)
        {
            var origin = sources.LastOrDefault(source => Holds(source.Keys, problem.Key.Split('.', '[')))?.Name ?? path;
            throw new ConfigurationException($"{origin}: '{problem.Key}' {problem.Complaint}", problem.Hint);
        }

        return config;
    }

    private static IEnumerable<ConfigSource> Sources(ConfigFiles files, IReadOnlyList<string> overrides)
    {
        foreach (var (file, bytes, _) in files.All)
        {
            yield return ConfigSource.FromBytes(file, bytes);
        }

        yield return ConfigSource.FromPairs("environment", Variables()
            .OrderBy(variable => variable.Name, StringComparer.Ordinal)
            .Select(variable => (variable.Name[Prefix.Length..].Split("__"), variable.Value)));
        yield return ConfigSource.FromPairs("command line", overrides.Select(Split));
    }

    private static IEnumerable<(string Name, string Value)> Variables()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Key is string name && name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                yield return (name, (string)variable.Value!);
            }
        }
    }

    private static (string[] Path, string Value) Split(string setting)
    {
        var equals = setting.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            ? (setting[..equals].Split('.'), setting[(equals + 1)..])
            : throw new ConfigurationException($"command line: '{setting}' is not of the form section.key=value", "write for example --set hub.url=ws://127.0.0.1:7070/ws");
    }

    private static SidecarConfig Read(ConfigSource source)
    {
        try
        {
            return source.Keys.Deserialize(ConfigJson.Default.SidecarConfig)!;
        }
        catch (JsonException fault)
        {
            var key = (fault.Path ?? "$").TrimStart('$').TrimStart('.');
            throw new ConfigurationException($"{source.Name}: '{key}' has a value of the wrong form",
                "durations are \"hh:mm:ss\", numbers and true/false stand without quotes; see 'fleet-sidecar config schema'", fault);
        }
    }

    private static ConfigSource Merge(string path, List<ConfigSource> sources)
    {
        var merged = new JsonObject();
        foreach (var source in sources)
        {
            Read(source); // A value of the wrong form is complained about under the name of the source it stands in.
            Merge(merged, source.Keys);
        }

        return new ConfigSource(path, merged);
    }

    private static void Merge(JsonObject into, JsonObject from)
    {
        foreach (var (name, value) in from)
        {
            var known = into.Select(pair => pair.Key).FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase)) ?? name;
            if (into[known] is JsonObject below && value is JsonObject more)
            {
                Merge(below, more);
            }
            else
            {
                into[known] = value?.DeepClone();
            }
        }
    }

    private static bool Holds(JsonObject keys, string[] path) =>
        keys.Any(pair => pair.Key.Equals(path[0], StringComparison.OrdinalIgnoreCase)
            && (path.Length == 1 || pair.Value is not JsonObject below || Holds(below, path[1..])));
}
