using System.Buffers;
using System.Globalization;
using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Text from outside in a form that a terminal shows and does not obey.</summary>
/// <remarks>
/// A terminal acts on control characters (ECMA-48: escape sequences, and the C1 characters that some terminals take for
/// them), a carriage return writes over what stood there, and the characters that force a direction of writing (Unicode UAX 9)
/// make a line read as another one. Each becomes <c>\u</c> and four digits, which is also what JSON means by them, so the same
/// form is right for tables, complaints, log lines and JSON. Line feed, tab and a carriage return before a line feed stay.
/// </remarks>
public static class Visible
{
    private const string Turning = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069";

    private static readonly SearchValues<char> Acting = SearchValues.Create(
    [
        .. Enumerable.Range(0, 0xa0).Select(code => (char)code)
            .Where(letter => char.IsControl(letter) && letter is not ('\n' or '\t')),
        .. Turning,
    ]);

    /// <summary>Several lines: line breaks and tabs stay.</summary>
    public static string Text(string text)
    {
        var first = text.AsSpan().IndexOfAny(Acting);
        if (first < 0)
        {
            return text;
        }

        var shown = new StringBuilder(text.Length + 32).Append(text, 0, first);
        for (var index = first; index < text.Length; index++)
        {
            var letter = text[index];
            if (!Acting.Contains(letter) || (letter == '\r' && index + 1 < text.Length && text[index + 1] == '\n'))
            {
                shown.Append(letter);
            }
            else
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
            }
        }

        return shown.ToString();
    }

    /// <summary>One line: a line break is shown as well, so that what follows it cannot pass for a line of our
    /// own.</summary>
    public static string Line(string text)
    {
        if (text.AsSpan().IndexOfAny('\n', '\r') < 0)
        {
            return Text(text);
        }

        return Text(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", " ⏎ ", StringComparison.Ordinal));
    }

    /// <summary>Several lines below one of our own: each further line is indented, so that none can pass for a line of
    /// ours.</summary>
    public static string Indented(string text, string indent) => text.ReplaceLineEndings("\n" + indent);
}
