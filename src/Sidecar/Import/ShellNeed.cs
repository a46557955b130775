namespace FleetSidecar.Import;

/// <summary>Whether a command line means what its words say, or needs a shell to mean it. Pure.</summary>
/// <remarks>
/// Knows the quoting of POSIX (XCU 2.2) and looks only for what a shell would do beside splitting words. AgentCom
/// puts its placeholders in before the shell sees the text, inside quotes as well, so they count as ordinary letters
/// here.
/// </remarks>
internal static class ShellNeed
{
    // Words that are commands of the shell itself, or its grammar; there is no program of that name, or another one.
    private static readonly HashSet<string> OfTheShell =
    [
        "!",
        ".",
        ":",
        "[[",
        "alias",
        "bg",
        "break",
        "case",
        "cd",
        "command",
        "continue",
        "do",
        "done",
        "elif",
        "else",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "fg",
        "fi",
        "for",
        "function",
        "if",
        "local",
        "read",
        "readonly",
        "return",
        "set",
        "shift",
        "source",
        "then",
        "time",
        "trap",
        "type",
        "ulimit",
        "umask",
        "unset",
        "until",
        "wait",
        "while",
        "{",
        "}",
    ];

    /// <summary>What the text needs a shell for; null where it needs none.</summary>
    /// <param name="text">The command line, in which a placeholder is one letter of the private use area.</param>
    public static string? Of(string text)
    {
        var quote = '\0';
        var wordBegins = true;
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (quote == '\'')
            {
                quote = letter == '\'' ? '\0' : quote;
                continue;
            }

            if (letter == '\\')
            {
                at++;
                wordBegins = false;
                continue;
            }

            if (Expansion(text, at) is { } expansion)
            {
                return expansion;
            }

            if (letter == '"')
            {
                quote = quote == '"' ? '\0' : '"';
                wordBegins = false;
                continue;
            }

            if (quote == '\0')
            {
                if (letter == '\'')
                {
                    quote = letter;
                }
                else if (Grammar(text, at, wordBegins) is { } grammar)
                {
                    return grammar;
                }
            }

            wordBegins = quote == '\0' && letter is ' ' or '\t';
        }

        return null;
    }

    /// <summary>Why a first word names no program; null where it may.</summary>
    public static string? OfProgram(string word) =>
        OfTheShell.Contains(word) ? $"'{word}' is a command of the shell, not a program" : null;

    private static string? Expansion(string text, int at)
    {
        if (text[at] == '`')
        {
            return "a command in `…`, whose output the shell would put in";
        }

        if (text[at] != '$' || at + 1 == text.Length)
        {
            return null;
        }

        return text[at + 1] switch
        {
            '(' => "$(…), whose output the shell would put in",
            '{' => $"the variable {Braced(text, at)}, which the shell would fill in",
            '\'' or '"' => "$'…', which the shell would translate",
            var next
                when char.IsAsciiLetterOrDigit(next) || next is '_' or '?' or '$' or '!' or '#' or '@' or '*' or '-' =>
                $"the variable {Variable(text, at)}, which the shell would fill in",
            _ => null,
        };
    }

    private static string Braced(string text, int at)
    {
        var end = text.IndexOf('}', at);
        return end < 0 ? text[at..] : text[at..(end + 1)];
    }

    private static string Variable(string text, int at)
    {
        var end = at + 2;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
        {
            end++;
        }

        return text[at..end];
    }

    private static string? Grammar(string text, int at, bool wordBegins) =>
        text[at] switch
        {
            '\n' or '\r' => "a line break: several commands",
            '|' => text.AsSpan(at).StartsWith("||") ? "||: a second command" : "a pipe (|)",
            '&' => text.AsSpan(at).StartsWith("&&") ? "&&: a second command" : "&: a command in the background",
            ';' => "';': a second command",
            '<' or '>' => $"a redirection ({text[at]})",
            '(' or ')' => "brackets: a group of commands",
            '*' or '?' or '[' => $"the pattern letter {text[at]}, for which the shell would put in file names",
            '~' when wordBegins => "~, for which the shell would put in a home directory",
            '#' when wordBegins => "#: a comment",
            _ => null,
        };
}
