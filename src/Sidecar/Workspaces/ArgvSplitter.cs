using System.Text;

namespace FleetSidecar.Workspaces;

/// <summary>Splits the text of a step into the words of a command. Pure; it knows blanks, quotes and the backslash, and expands nothing.</summary>
/// <remarks>No shell ever sees the text: <c>$</c>, <c>*</c>, <c>;</c>, <c>|</c>, <c>&gt;</c> and the like are letters like any other.</remarks>
internal static class ArgvSplitter
{
    public const int LongestText = 4_096, MostWords = 256;

    /// <summary>The words, or what is wrong with the text.</summary>
    public static (IReadOnlyList<string> Words, string? Complaint) Split(string text)
    {
        if (text.Length > LongestText)
        {
            return ([], $"the command is longer than {LongestText} characters");
        }

        if (text.Any(letter => char.IsControl(letter) && letter != '\t'))
        {
            return ([], "the command holds a line break or another control character");
        }

        var (words, word, quote) = (new List<string>(), (StringBuilder?)null, '\0');
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (letter == '\\' && quote != '\'')
            {
                if (++at == text.Length)
                {
                    return ([], "the command ends with a backslash");
                }

                // As in a shell: between double quotes it takes away the meaning of these two alone.
                (word ??= new()).Append(quote == '"' && text[at] is not ('"' or '\\') ? $"\\{text[at]}" : text[at].ToString());
            }
            else if (quote != '\0')
            {
                (quote, _) = letter == quote ? ('\0', word) : (quote, word!.Append(letter));
            }
            else if (letter is '\'' or '"')
            {
                (quote, word) = (letter, word ?? new());
            }
            else if (letter is ' ' or '\t')
            {
                words.AddRange(word is null ? [] : [word.ToString()]);
                word = null;
            }
            else
            {
                (word ??= new()).Append(letter);
            }
        }

        words.AddRange(word is null ? [] : [word.ToString()]);
        return quote != '\0' ? ([], "a quote of the command is not closed")
            : words.Count == 0 || words[0].Length == 0 ? ([], "the step names no command")
            : words.Count > MostWords ? ([], $"the command has more than {MostWords} words")
            : (words, null);
    }
}
