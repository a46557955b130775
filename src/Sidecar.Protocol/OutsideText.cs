using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace FleetSidecar.Protocol;

/// <summary>
/// The border for text from outside: whatever bytes come, what leaves here is Unicode text without NUL, and nothing
/// throws.
/// </summary>
/// <remarks>
/// Agents cut emoji in two (<c>"\ud83d"</c> is what <c>JSON.stringify</c> writes for such a string), editors put byte
/// order marks first, shells write UTF-16.
/// The framework's JSON readers accept half a surrogate pair and throw when its text is asked for, far from the place
/// that could say what is wrong.
/// Here it becomes U+FFFD once, and every reader behind may ask for what it likes.
/// </remarks>
public static class OutsideText
{
    private const int EscapeLength = 6; // \uD83D

    private static ReadOnlySpan<byte> Utf8Mark => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// JSON as UTF-8 whose texts and keys can all be read. The same bytes where nothing is wrong with them, without
    /// an allocation; one linear pass.
    /// </summary>
    /// <param name="bytes">UTF-8 or UTF-16, with or without a byte order mark. It need not be JSON.</param>
    /// <param name="repaired">True where U+FFFD stands for something that was no text: bytes that are no UTF-8, half
    /// a surrogate pair, NUL.</param>
    public static ReadOnlySpan<byte> Json(ReadOnlySpan<byte> bytes, out bool repaired)
    {
        var text = AsUtf8(bytes, out repaired);
        var fault = NextFault(text, 0);
        if (fault < 0)
        {
            return text;
        }

        repaired = true;
        var copy = text.ToArray();
        for (; fault >= 0; fault = NextFault(copy, fault + EscapeLength))
        {
            @"\ufffd"u8.CopyTo(copy.AsSpan(fault));
        }

        return copy;
    }

    /// <summary>
    /// The same for text that is no JSON, such as a line of a file: backslashes mean nothing, and NUL is no character
    /// of a text.
    /// </summary>
    public static string Decode(ReadOnlySpan<byte> bytes) =>
        Encoding.UTF8.GetString(AsUtf8(bytes, out _)).Replace('\0', '\uFFFD');

    /// <summary>
    /// Text that can be written anywhere: U+FFFD for half a surrogate pair and for NUL. The same text where there is
    /// none.
    /// </summary>
    public static string Clean(string text) =>
        IsClean(text) ? text : Encoding.Unicode.GetString(Encoding.Unicode.GetBytes(text)).Replace('\0', '\uFFFD');

    /// <summary>
    /// A part of a text with U+FFFD for the half of a surrogate pair that a cut left at either end of it. It is as
    /// long as before.
    /// </summary>
    public static string ReplaceHalves(string part)
    {
        var text = part.Length > 0 && char.IsLowSurrogate(part[0]) ? $"\uFFFD{part[1..]}" : part;
        return text.Length > 0 && char.IsHighSurrogate(text[^1]) ? $"{text[..^1]}\uFFFD" : text;
    }

    private static bool IsClean(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        for (var index = first; index >= 0 && index < text.Length; index++)
        {
            var isLast = index + 1 == text.Length;
            if (char.IsSurrogate(text[index]) && (isLast || !char.IsSurrogatePair(text[index], text[++index])))
            {
                return false;
            }
        }

        return !text.Contains('\0', StringComparison.Ordinal);
    }

    private static ReadOnlySpan<byte> AsUtf8(ReadOnlySpan<byte> bytes, out bool repaired)
    {
        if (Wide(bytes) is { } wide)
        {
            var text = wide.GetString(bytes).TrimStart('\uFEFF');
            repaired = text.Contains('\uFFFD', StringComparison.Ordinal);
            return Encoding.UTF8.GetBytes(text);
        }

        var rest = bytes.StartsWith(Utf8Mark) ? bytes[Utf8Mark.Length..] : bytes;
        repaired = !Utf8.IsValid(rest);
        return repaired ? Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(rest)) : rest;
    }

    // UTF-16 by its mark. Without one, a text that begins with an ASCII character and a NUL, in either order, is
    // nothing else.
    private static Encoding? Wide(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0xFF, 0xFE, ..] or [> 0, 0, ..] => Encoding.Unicode,
        [0xFE, 0xFF, ..] or [0, > 0, ..] => Encoding.BigEndianUnicode,
        _ => null,
    };

    // The next \uXXXX that stands for NUL or for half a surrogate pair. A backslash that begins no such escape takes
    // the character
    // behind it along, so that the second one of \\ begins nothing.
    private static int NextFault(ReadOnlySpan<byte> text, int from)
    {
        while (from < text.Length && text[from..].IndexOf((byte)'\\') is >= 0 and var step)
        {
            from += step;
            if (Escape(text[from..]) is not { } unit)
            {
                from += 2;
                continue;
            }

            var isPair = char.IsHighSurrogate(unit)
                && Escape(text[(from + EscapeLength)..]) is { } next && char.IsLowSurrogate(next);
            if (!isPair && (char.IsSurrogate(unit) || unit == 0))
            {
                return from;
            }

            from += isPair ? 2 * EscapeLength : EscapeLength;
        }

        return -1;
    }

    private static char? Escape(ReadOnlySpan<byte> text) =>
        text is [(byte)'\\', (byte)'u', _, _, _, _, ..]
        && ushort.TryParse(text.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            ? (char)unit
            : null;
}
