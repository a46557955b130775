using System.Text;

namespace FleetSidecar.Identity;

/// <summary>Names as git lists them. They are bytes, held here one letter a byte (Latin-1), or quoted the way git quotes them; people see text. Pure.</summary>
internal static class GitNames
{
    /// <summary>For people: UTF-8 read as such, whatever could end a line or steer a terminal escaped.</summary>
    public static string Show(string name) => Escape(Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name)));

    /// <summary>Text that somebody else chose, on one line.</summary>
    public static string Escape(string text) =>
        string.Concat(text.EnumerateRunes().Select(rune => Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator
            ? rune.Value switch { '\n' => "\\n", '\t' => "\\t", '\r' => "\\r", _ => $"\\u{rune.Value:x4}" } : rune.ToString()));

    /// <summary>The bytes of a name that git printed, quoted where it is odd (see core.quotePath in git-config(1)).</summary>
    public static byte[] Unquote(string printed)
    {
        if (!printed.StartsWith('"'))
        {
            return Encoding.UTF8.GetBytes(printed);
        }

        var bytes = new List<byte>();
        for (var at = 1; at < printed.Length - 1; at++)
        {
            if (printed[at] != '\\')
            {
                bytes.Add((byte)printed[at]);
            }
            else if (Octal(printed.AsSpan(at + 1)) is { } value)
            {
                bytes.Add(value);
                at += 3;
            }
            else
            {
                bytes.Add((byte)(printed[++at] switch { 'a' => '\a', 'b' => '\b', 't' => '\t', 'n' => '\n', 'v' => '\v', 'f' => '\f', 'r' => '\r', var same => same }));
            }
        }

        return [.. bytes];
    }

    private static byte? Octal(ReadOnlySpan<char> text) => text is [>= '0' and <= '3', >= '0' and <= '7', >= '0' and <= '7', ..]
        ? (byte)(((text[0] - '0') * 64) + ((text[1] - '0') * 8) + (text[2] - '0'))
        : null;
}
