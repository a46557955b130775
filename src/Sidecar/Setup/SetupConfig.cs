using System.Text.Json.Nodes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;

namespace FleetSidecar.Setup;

/// <summary>What the configuration is to say: what is there already, and the few keys that setup is about. Pure.</summary>
internal static class SetupConfig
{
    /// <param name="present">What is there; empty where there is nothing.</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="tokenFile">How the daemon names the token's file.</param>
    /// <param name="profile">The first wake profile, asked for only where there is none.</param>
    /// <returns>The whole, and the keys in which what is there says otherwise.</returns>
    public static (JsonObject Keys, IReadOnlyList<string> Conflicts) Merge(JsonObject present, SetupRequest request, string tokenFile, Func<JsonObject> profile)
    {
        var keys = present.DeepClone().AsObject();
        var conflicts = new List<string>();
        Put("agent", "id", request.AgentId);
        if (request.Capabilities.Count > 0)
        {
            Put("agent", "capabilities", new JsonArray([.. request.Capabilities.Select(one => JsonValue.Create(one))]));
        }

        Put("hub", "url", request.SocketUrl);
        Put("hub", "tokenFile", tokenFile);
        if (request.Proxy is { } proxy)
        {
            Put("hub", "proxy", proxy);
        }

        if (request.ProxyCredentialsFile is { } credentials)
        {
            Put("hub", "proxyCredentialsFile", credentials);
        }

        if ((request.StateDirectory ?? PackagePaths.StateOf(request.ConfigFile)) is { } state && Say(keys, "stateDirectory", state))
        {
            conflicts.Add("stateDirectory");
        }

        var wake = Section(keys, "wake");
        if (request.AgentCommand.Count > 0 || wake[Named(wake, "profiles")] is not JsonArray { Count: > 0 })
        {
            Put("wake", "profiles", new JsonArray(profile()));
        }

        return (keys, conflicts);

        void Put(string section, string name, JsonNode value)
        {
            if (Say(Section(keys, section), name, value))
            {
                conflicts.Add($"{section}.{name}");
            }
        }
    }

    // True where something else stood there.
    private static bool Say(JsonObject keys, string name, JsonNode value)
    {
        name = Named(keys, name);
        var was = keys[name];
        if (JsonNode.DeepEquals(was, value))
        {
            return false;
        }

        keys[name] = value;
        return was is not null and not JsonArray { Count: 0 };
    }

    private static JsonObject Section(JsonObject keys, string name)
    {
        name = Named(keys, name);
        keys[name] ??= new JsonObject();
        return keys[name] as JsonObject ?? throw new ConfigurationException($"'{name}' in the configuration is no section", "write it as an object, or take it out");
    }

    // As the reader does: whatever case somebody wrote it in.
    private static string Named(JsonObject keys, string name) => keys.Select(pair => pair.Key).FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase)) ?? name;
}
