using System.Text;

namespace FleetSidecar.Protocol;

/// <summary>Makes text from outside fit for one line of a log or an error: bounded, no control characters.</summary>
public static class Printable
{
    /// <summary>Cuts to <paramref name="length"/> characters (an ellipsis marks the cut) and replaces control characters by spaces.</summary>
    public static string Cut(string text, int length)
    {
        var whole = text.Length <= length;
        var kept = new StringBuilder(Math.Min(text.Length, length) + 1);
        foreach (var letter in whole ? text : text[..length])
        {
            kept.Append(char.IsControl(letter) || char.IsSurrogate(letter) && !whole ? ' ' : letter);
        }

        return whole ? kept.ToString() : kept.Append('…').ToString();
    }

    /// <summary>Keeps line breaks and tabs, replaces other control characters, and keeps the last <paramref name="length"/> characters.</summary>
    public static string Tail(string text, int length)
    {
        var kept = new StringBuilder(Math.Min(text.Length, length));
        foreach (var letter in text.Length <= length ? text : text[^length..])
        {
            kept.Append(char.IsControl(letter) && letter is not ('\n' or '\t') ? ' ' : letter);
        }

        return kept.ToString();
    }
}
