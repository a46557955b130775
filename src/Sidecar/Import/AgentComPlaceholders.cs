namespace FleetSidecar.Import;

/// <summary>AgentCom's placeholders and ours. Pure.</summary>
/// <remarks>
/// While a text is split, a placeholder is one letter of the private use area: no quote or blank of it can be mistaken
/// for the command's own.
/// </remarks>
internal static class AgentComPlaceholders
{
    private const char Id = '\uE000',
        Task = '\uE001',
        Description = '\uE002';
    private static readonly (string Theirs, char Letter, string Ours)[] Known =
    [
        ("${TASK_ID}", Id, "{taskId}"),
        ("${TASK_JSON}", Task, "{taskFile}"),
        ("${TASK_DESCRIPTION}", Description, "{taskFile}"),
    ];
    private static readonly string[] Ours = ["{taskFile}", "{taskId}", "{workspace}", "{runDir}", "{nonce}"];

    /// <summary>The text with letters in place of placeholders, or why it cannot be read.</summary>
    public static (string Text, string? Complaint) Mark(string text)
    {
        if (text.Any(letter => letter is >= Id and <= Description))
        {
            return ("", "it holds letters of the private use area");
        }

        if (Array.Find(Ours, text.Contains) is { } own)
        {
            return ("", $"it holds the text {own}, which is a placeholder here");
        }

        foreach (var (theirs, letter, _) in Known)
        {
            if (text.Contains($"\\{theirs}", StringComparison.Ordinal))
            {
                return ("", $"a backslash stands before {theirs}");
            }

            text = text.Replace(theirs, letter.ToString(), StringComparison.Ordinal);
        }

        return (text, null);
    }

    /// <summary>The placeholders of a marked text, as they were written.</summary>
    public static IEnumerable<string> In(string marked) =>
        Known.Where(one => marked.Contains(one.Letter, StringComparison.Ordinal)).Select(one => one.Theirs);

    /// <summary>Whether a word holds one.</summary>
    public static bool IsIn(string marked) => marked.Any(letter => letter is >= Id and <= Description);

    /// <summary>A marked word with our placeholders.</summary>
    public static string Translate(string marked)
    {
        foreach (var (_, letter, ours) in Known)
        {
            marked = marked.Replace(letter.ToString(), ours, StringComparison.Ordinal);
        }

        return marked;
    }
}
