using System.Text.Json;

namespace FleetSidecar.Protocol;

/// <summary>The look at a frame before it is read: size, one JSON object, a known <c>type</c>.</summary>
/// <remarks>One pass with the low-level reader, no allocation for content; it walks the whole frame, so what passes is
/// well-formed JSON of bounded depth.</remarks>
internal static class Envelope
{
    public static Refusal? Check(ReadOnlySpan<byte> utf8, Func<string, bool> isKnown, out string kind)
    {
        kind = "";
        if (utf8.Length > WireLimits.MaxFrameBytes)
        {
            return new Refusal(RefusalCode.TooLarge, $"{utf8.Length} bytes; the limit is {WireLimits.MaxFrameBytes}");
        }

        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = WireLimits.MaxDepth });
            return Walk(ref reader, isKnown, ref kind);
        }
        catch (Exception problem) when (OutsideJson.IsOfContent(problem))
        {
            return new Refusal(RefusalCode.NotJson, "the frame is not one well-formed JSON object of bounded depth");
        }
    }

    private static Refusal? Walk(ref Utf8JsonReader reader, Func<string, bool> isKnown, ref string kind)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return new Refusal(RefusalCode.NotJson, "the frame is not a JSON object");
        }

        Refusal? refusal = null;
        var typeSeen = false;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
            {
                continue;
            }

            var isType = reader.ValueTextEquals("type"u8);
            reader.Read();
            if (isType)
            {
                refusal = typeSeen ? new Refusal(RefusalCode.Invalid, "the type stands there twice") : CheckKind(ref reader, isKnown, ref kind);
                typeSeen = true;
            }
            else
            {
                reader.Skip();
            }
        }

        return typeSeen ? refusal : new Refusal(RefusalCode.NoType, "the frame has no type");
    }

    private static Refusal? CheckKind(ref Utf8JsonReader reader, Func<string, bool> isKnown, ref string kind)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            return new Refusal(RefusalCode.NoType, "the type is not text");
        }

        kind = reader.GetString()!;
        return isKnown(kind)
            ? null
            : new Refusal(RefusalCode.UnknownType, $"type '{Printable.Cut(kind, 64)}' is not known here");
    }
}
