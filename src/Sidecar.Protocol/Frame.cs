using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace FleetSidecar.Protocol;

/// <summary>Reads and writes frames. Reading never throws: a frame is a message or a <see cref="Refusal"/>.</summary>
/// <remarks>Text that is none (half a surrogate pair, NUL) arrives as U+FFFD, also inside of what is only passed on, so that every message that was read can be written again.</remarks>
public static class Frame
{
    /// <summary>Writes a message for the wire.</summary>
    public static byte[] Write(SidecarMessage message) => Write<SidecarMessage>(message);

    /// <summary>Writes a message for the wire.</summary>
    public static byte[] Write(HubMessage message) => Write<HubMessage>(message);

    /// <summary>Reads what a hub sent. Exactly one of the two results is set.</summary>
    public static bool TryRead(
        ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out HubMessage? message, [NotNullWhen(false)] out Refusal? refusal) =>
        TryRead(utf8, HubRules.Check, out message, out refusal);

    /// <summary>Reads what a sidecar sent. Exactly one of the two results is set.</summary>
    public static bool TryRead(
        ReadOnlySpan<byte> utf8,
        [NotNullWhen(true)] out SidecarMessage? message,
        [NotNullWhen(false)] out Refusal? refusal) =>
        TryRead(utf8, SidecarRules.Check, out message, out refusal);

    // {"type":"ping" and then the record's own fields, without its first bracket.
    private static byte[] Write<T>(T message)
        where T : class
    {
        var head = Encoding.UTF8.GetBytes($"{{\"type\":\"{WireKinds.Word<T>(message.GetType())}\"");
        var fields = JsonSerializer.SerializeToUtf8Bytes(message, WireKinds.Shape(message.GetType()));
        return fields.Length > "{}".Length ? [.. head, (byte)',', .. fields.AsSpan(1)] : [.. head, (byte)'}'];
    }

    private static bool TryRead<T>(
        ReadOnlySpan<byte> utf8,
        Func<T, string?> check,
        [NotNullWhen(true)] out T? message,
        [NotNullWhen(false)] out Refusal? refusal)
        where T : class
    {
        message = null;
        var json = utf8.Length <= WireLimits.MaxFrameBytes ? OutsideText.Json(utf8, out _) : utf8;
        refusal = Envelope.Check(json, WireKinds.IsKnown<T>, out var kind);
        if (refusal is not null)
        {
            return false;
        }

        try
        {
            message = (T?)JsonSerializer.Deserialize(json, WireKinds.Shape<T>(kind));
        }
        catch (Exception problem) when (OutsideJson.IsOfContent(problem))
        {
            refusal = Invalid(Explain(problem), kind, json);
            return false;
        }

        var complaint = message is null ? "the frame is null" : check(message);
        refusal = complaint is null ? null : Invalid(complaint, kind, json);
        message = complaint is null ? message : null;
        return message is not null;
    }

    private static Refusal Invalid(string complaint, string kind, ReadOnlySpan<byte> json) =>
        new(RefusalCode.Invalid, complaint) { Assignment = kind == WireKinds.Word<HubMessage>(typeof(HubMessage.TaskAssign)) ? UnreadAssignment.In(json) : null };

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
