using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Configuration;

namespace FleetSidecar.Reload;

/// <summary>When a changed key takes effect.</summary>
internal static class TakesEffect
{
    public const string Now = "now";

    /// <summary>At the latest with the next run; an agent at work keeps the profile that it was woken with, a wake that is tried again takes the one in force.</summary>
    public const string NextRun = "next run";

    public const string Restart = "restart";
}

/// <summary>One key that the files say differently now.</summary>
internal sealed record ConfigChange(string Key, string Effect);

/// <summary>Which keys a reload may change, and how it does so. The table in docs/configuration.md is compared with this one.</summary>
/// <remarks>
/// Values are put into the sections that everybody holds already, key by key: whoever reads <c>config.X.Y</c>, or holds section X,
/// sees the new value at the next look. Each is one reference or at most 64 bits, so none is ever seen in part; two keys of one
/// section may for an instant be seen one new and one old. A key that somebody copied at the start, or that lives on in a
/// connection, a path or a lock, is <c>restart</c>: its old value stays in force. So is every key that nobody put into the table.
/// </remarks>
internal static class ReloadRules
{
    /// <summary>By key, or by section for all keys of it that do not stand here themselves.</summary>
    public static IReadOnlyDictionary<string, string> Table { get; } = new Dictionary<string, string>
    {
        ["agent"] = TakesEffect.Restart,
        ["agent.maxConcurrentRuns"] = TakesEffect.Now,
        ["hub"] = TakesEffect.Restart,
        ["stateDirectory"] = TakesEffect.Restart,
        ["control"] = TakesEffect.Restart,
        ["wake"] = TakesEffect.NextRun,
        ["workspace"] = TakesEffect.NextRun,
        ["workspace.pushRescue"] = TakesEffect.Now,
        ["workspace.keepFor"] = TakesEffect.Now,
        ["workspace.gitTimeout"] = TakesEffect.Now,
        ["workspace.credentials"] = TakesEffect.Restart,
        ["workspace.forge"] = TakesEffect.Restart,
        ["deadlines"] = TakesEffect.NextRun,
        ["deadlines.killGrace"] = TakesEffect.Now,
        ["selfTest"] = TakesEffect.Now,
        ["retention"] = TakesEffect.Now,
        ["safeMode"] = TakesEffect.Restart,
        ["gate"] = TakesEffect.Now, // The command reads the file each time.
        ["identity"] = TakesEffect.Restart,
        ["supervise"] = TakesEffect.Restart,
        ["alerts"] = TakesEffect.Now, // The dead man's switch reads the file at each pass.
        ["log"] = TakesEffect.Restart,
        ["log.level"] = TakesEffect.Now,
    };

    public static string EffectOf(string key) => Table.GetValueOrDefault(key) ?? Table.GetValueOrDefault(key.Split('.')[0]) ?? TakesEffect.Restart;

    /// <summary>Every key that a reload looks at: a section's own keys, whatever lies below them included.</summary>
    public static IEnumerable<string> Keys => Tree(new SidecarConfig()).SelectMany(section => section.Value is JsonObject keys ? keys.Select(key => $"{section.Key}.{key.Key}") : [section.Key]);

    /// <summary>The keys in which what was read differs from what is in force.</summary>
    public static IReadOnlyList<ConfigChange> Compare(SidecarConfig inForce, SidecarConfig read)
    {
        var (now, then) = (Tree(inForce), Tree(read));
        return [.. Keys.Where(key => !JsonNode.DeepEquals(At(now, key), At(then, key))).Select(key => new ConfigChange(key, EffectOf(key)))];
    }

    /// <summary>Puts the values of these keys in force.</summary>
    public static void Apply(SidecarConfig inForce, SidecarConfig read, IEnumerable<ConfigChange> changes)
    {
        foreach (var change in changes.Where(change => change.Effect != TakesEffect.Restart))
        {
            var (section, name) = change.Key.Split('.') is [var first, var second] ? (first, second) : (null, change.Key);
            Copy(section is null ? inForce : Section(inForce, section), section is null ? read : Section(read, section), name);
        }
    }

    private static object Section(SidecarConfig config, string name) => ConfigJson.Default.SidecarConfig.Properties.First(property => property.Name == name).Get!(config)!;

    private static void Copy(object to, object from, string name)
    {
        var property = ConfigJson.Default.GetTypeInfo(to.GetType())!.Properties.First(one => one.Name == name);
        property.Set!(to, property.Get!(from));
    }

    private static JsonObject Tree(SidecarConfig config) => JsonSerializer.SerializeToNode(config, ConfigJson.Default.SidecarConfig)!.AsObject();

    private static JsonNode? At(JsonObject tree, string key) => key.Split('.') is [var section, var name] ? tree[section]![name] : tree[key];
}
