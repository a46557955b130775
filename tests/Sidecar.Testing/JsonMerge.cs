using System.Text.Json.Nodes;

namespace FleetSidecar.Testing;

/// <summary>Lays one tree of settings over another; lists are replaced.</summary>
public static class JsonMerge
{
    public static void Into(JsonObject into, JsonObject from)
    {
        foreach (var (name, value) in from)
        {
            if (into[name] is JsonObject below && value is JsonObject more)
            {
                Into(below, more);
            }
            else
            {
                into[name] = value?.DeepClone();
            }
        }
    }
}
