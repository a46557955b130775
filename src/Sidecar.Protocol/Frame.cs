using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace FleetSidecar.Protocol;

/// <summary>Reads and writes frames. Reading never throws: a frame is a message or a <see cref="Refusal"/>.</summary>
public static class Frame
{
    /// <summary>Writes a message for the wire.</summary>
    public static byte[] Write(SidecarMessage message) =>
        JsonSerializer.SerializeToUtf8Bytes(message, WireJson.Wire.SidecarMessage);

    /// <summary>Writes a message for the wire.</summary>
    public static byte[] Write(HubMessage message) =>
        JsonSerializer.SerializeToUtf8Bytes(message, WireJson.Wire.HubMessage);

    /// <summary>Reads what a hub sent. Exactly one of the two results is set.</summary>
    public static bool TryRead(
        ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out HubMessage? message, [NotNullWhen(false)] out Refusal? refusal) =>
        TryRead(utf8, WireJson.Wire.HubMessage, HubRules.Check, WireKinds.Hub, out message, out refusal);

    /// <summary>Reads what a sidecar sent. Exactly one of the two results is set.</summary>
    public static bool TryRead(
        ReadOnlySpan<byte> utf8,
        [NotNullWhen(true)] out SidecarMessage? message,
        [NotNullWhen(false)] out Refusal? refusal) =>
        TryRead(utf8, WireJson.Wire.SidecarMessage, SidecarRules.Check, WireKinds.Sidecar, out message, out refusal);

    private static bool TryRead<T>(
        ReadOnlySpan<byte> utf8,
        JsonTypeInfo<T> shape,
        Func<T, string?> check,
        IReadOnlySet<string> kinds,
        [NotNullWhen(true)] out T? message,
        [NotNullWhen(false)] out Refusal? refusal)
        where T : class
    {
        message = null;
        refusal = Envelope.Check(utf8, kinds);
        if (refusal is not null)
        {
            return false;
        }

        try
        {
            message = JsonSerializer.Deserialize(utf8, shape);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or NotSupportedException)
        {
            refusal = new Refusal(RefusalCode.Invalid, Explain(problem));
            return false;
        }

        var complaint = message is null ? "the frame is null" : check(message);
        refusal = complaint is null ? null : new Refusal(RefusalCode.Invalid, complaint);
        message = complaint is null ? message : null;
        return message is not null;
    }

    // The serializer's own text may quote the value; names of our fields are safe to send back, and say enough.
    private static string Explain(Exception problem)
    {
        const string Missing = "including: ";
        var at = problem.Message.IndexOf(Missing, StringComparison.Ordinal);
        return at >= 0 && problem.Message.Contains("missing required properties", StringComparison.Ordinal)
            ? $"missing: {Printable.Cut(problem.Message[(at + Missing.Length)..].TrimEnd('.'), 200)}"
            : $"field {Printable.Cut((problem as JsonException)?.Path ?? "$", 200)} has the wrong form";
    }
}
