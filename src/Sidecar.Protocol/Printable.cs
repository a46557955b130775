using System.Text;

namespace FleetSidecar.Protocol;

/// <summary>Makes text from outside fit for one line of a log or an error: bounded, no control characters, no half of a surrogate pair.</summary>
public static class Printable
{
    /// <summary>Cuts to <paramref name="length"/> characters (an ellipsis marks the cut) and replaces control characters by spaces.</summary>
    public static string Cut(string text, int length)
    {
        var head = Head(text, length);
        var kept = new StringBuilder(head.Length + 1);
        foreach (var letter in OutsideText.Clean(head))
        {
            kept.Append(char.IsControl(letter) ? ' ' : letter);
        }

        return head.Length == text.Length ? kept.ToString() : kept.Append('…').ToString();
    }

    /// <summary>Keeps line breaks and tabs, replaces other control characters, and keeps the last <paramref name="length"/> characters.</summary>
    public static string Tail(string text, int length)
    {
        var end = End(text, length);
        var kept = new StringBuilder(end.Length);
        foreach (var letter in OutsideText.Clean(end))
        {
            kept.Append(char.IsControl(letter) && letter is not ('\n' or '\t') ? ' ' : letter);
        }

        return kept.ToString();
    }

    /// <summary>At most the first <paramref name="length"/> characters as they are; one less where the cut would go through a surrogate pair.</summary>
    public static string Head(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        var isWhole = length == 0 || !char.IsHighSurrogate(text[length - 1]) || !char.IsLowSurrogate(text[length]);
        return text[..(isWhole ? length : length - 1)];
    }

    /// <summary>At most the last <paramref name="length"/> characters as they are; one less where the cut would go through a surrogate pair.</summary>
    public static string End(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        var start = text.Length - length;
        var isWhole = start == text.Length || !char.IsLowSurrogate(text[start]) || !char.IsHighSurrogate(text[start - 1]);
        return text[(isWhole ? start : start + 1)..];
    }
}
