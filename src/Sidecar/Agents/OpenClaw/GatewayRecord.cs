using System.Buffers;
using System.Text;
using System.Text.Json;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>How a turn at the gateway ended: one line of JSON, in the form in which <c>openclaw agent --json</c> tells it, so that one reader reads both.</summary>
/// <param name="ExitCode">0 good, 1 not, 2 out of time.</param>
/// <param name="Line">The record.</param>
internal sealed record GatewayRecord(int ExitCode, string Line)
{
    private const int Good = 0, Bad = 1, OutOfTime = 2;

    /// <summary>The gateway's final answer as it came; good only if it says so.</summary>
    public static GatewayRecord Of(JsonElement final) => new(final.Text("status") == "ok" ? Good : final.Text("status") == "timeout" ? OutOfTime : Bad, Compact(final));

    /// <summary>A turn whose final answer nobody heard: what its session says of it.</summary>
    /// <param name="session">The row of the session, which says that it is done.</param>
    /// <param name="wait">What the gateway remembers of the run; nothing after a restart.</param>
    public static GatewayRecord Recovered(string runId, JsonElement session, JsonElement wait) => new(Good, Write(writer =>
    {
        writer.WriteString("runId", runId);
        writer.WriteString("status", "ok");
        writer.WriteBoolean("recovered", true);
        writer.WriteStartObject("result");
        writer.WriteStartArray("payloads");
        if (wait.Text("payload", "terminalReply", "text") is { } text)
        {
            writer.WriteStartObject();
            writer.WriteString("text", text);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("meta");
        writer.WriteStartObject("agentMeta");
        foreach (var (name, from) in new[] { ("sessionId", "sessionId"), ("provider", "modelProvider"), ("model", "model") })
        {
            if (session.Text(from) is { } value)
            {
                writer.WriteString(name, value);
            }
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }));

    public static GatewayRecord Failed(string runId, string kind, string message) => Error(Bad, runId, kind, message);

    public static GatewayRecord TimedOut(string runId, TimeSpan limit) => Error(OutOfTime, runId, "timeout", $"the turn did not end within {limit}; it was aborted");

    public static GatewayRecord Stopped(string runId) => Error(Bad, runId, "stopped", "asked to stop; the turn was aborted");

    /// <summary>A line about what goes on; never a record.</summary>
    public static string Note(string what, string detail) => Write(writer =>
    {
        writer.WriteString("event", what);
        writer.WriteString("detail", Printable.Cut(detail, 300));
    });

    private static GatewayRecord Error(int exitCode, string runId, string kind, string message) => new(exitCode, Write(writer =>
    {
        writer.WriteBoolean("ok", false);
        writer.WriteString("runId", runId);
        writer.WriteStartObject("error");
        writer.WriteString("type", "gateway_turn");
        writer.WriteString("kind", kind);
        writer.WriteString("message", message);
        writer.WriteEndObject();
    }));

    private static string Compact(JsonElement element)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            element.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static string Write(Action<Utf8JsonWriter> content)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            content(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
