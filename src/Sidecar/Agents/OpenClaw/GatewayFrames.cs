using System.Buffers;
using System.Text.Json;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>The requests of OpenClaw's gateway protocol, version 4: <c>{type:"req", id, method, params}</c>.</summary>
internal static class GatewayFrames
{
    private const int Protocol = 4;

    /// <summary>The first frame. A backend on the same machine with the shared token needs no device key.</summary>
    public static byte[] Connect(string id, string? token, bool asAdministrator) => Request(id, "connect", writer =>
    {
        writer.WriteNumber("minProtocol", Protocol);
        writer.WriteNumber("maxProtocol", Protocol);
        writer.WriteStartObject("client");
        writer.WriteString("id", "gateway-client");
        writer.WriteString("version", ProgramVersion.Text);
        writer.WriteString("platform", "linux");
        writer.WriteString("mode", "backend");
        writer.WriteEndObject();
        writer.WriteString("role", "operator");
        writer.WriteStartArray("scopes");
        writer.WriteStringValue("operator.read");
        writer.WriteStringValue("operator.write");
        if (asAdministrator)
        {
            writer.WriteStringValue("operator.admin");
        }

        writer.WriteEndArray();
        writer.WriteStartArray("caps");
        writer.WriteEndArray();
        if (token is not null)
        {
            writer.WriteStartObject("auth");
            writer.WriteString("token", token);
            writer.WriteEndObject();
        }
    });

    /// <summary>Answered twice with the same id: accepted, then how it ended.</summary>
    public static byte[] Agent(string id, GatewayCall call) => Request(id, "agent", writer =>
    {
        writer.WriteString("message", call.Message);
        writer.WriteString("agentId", call.Agent);
        writer.WriteString("sessionKey", call.SessionKey);
        writer.WriteString("idempotencyKey", call.IdempotencyKey);
        writer.WriteBoolean("deliver", false);
        writer.WriteNumber("timeout", (long)Math.Ceiling(call.TimeLimit.TotalSeconds));
    });

    /// <summary>How a run ended, as far as this process of the gateway knows; <c>timeout</c> is only the end of the wait.</summary>
    public static byte[] Wait(string id, string runId, TimeSpan limit) => Request(id, "agent.wait", writer =>
    {
        writer.WriteString("runId", runId);
        writer.WriteNumber("timeoutMs", (long)limit.TotalMilliseconds);
    });

    public static byte[] Describe(string id, string key) => Request(id, "sessions.describe", writer => writer.WriteString("key", key));

    public static byte[] Abort(string id, string key) => Request(id, "sessions.abort", writer => writer.WriteString("key", key));

    private static byte[] Request(string id, string method, Action<Utf8JsonWriter> parameters)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("type", "req");
            writer.WriteString("id", id);
            writer.WriteString("method", method);
            writer.WriteStartObject("params");
            parameters(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return bytes.WrittenSpan.ToArray();
    }
}
