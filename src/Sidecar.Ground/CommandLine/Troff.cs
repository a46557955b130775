using System.Globalization;
using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Writes manual pages: text in, the language of <see href="https://man7.org/linux/man-pages/man7/man.7.html">man(7)</see> out.</summary>
public sealed class Troff
{
    private readonly StringBuilder _text = new();

    public Troff Head(string name, int section, string date, string source) => Line($".TH {Quoted(name.ToUpperInvariant())} {section} {Quoted(date)} {Quoted(source)} \"FleetSidecar\"");

    public Troff Section(string title) => Line($".SH {Quoted(title.ToUpperInvariant())}");

    public Troff Subsection(string title) => Line($".SS {Quoted(title)}");

    public Troff Paragraph(string text) => Line(".PP").Line(Fill(text));

    /// <summary>A term and what it means, below each other.</summary>
    public Troff Item(string term, string text) => Line(".TP").Line(Bold(term)).Line(Fill(text));

    public Troff Bullet(string text) => Line(".IP \\(bu 2").Line(Fill(text));

    /// <summary>Lines that stay as they are.</summary>
    public Troff Literal(IEnumerable<string> lines)
    {
        Line(".PP").Line(".RS 4").Line(".nf");
        foreach (var line in lines)
        {
            Line(line.Length == 0 ? "\\&" : Guard(Escape(line)));
        }

        return Line(".fi").Line(".RE");
    }

    public override string ToString() => _text.ToString();

    // Words between backquotes are words of the program: bold, as in every manual.
    private static string Fill(string text) => Guard(string.Concat(text.Split('`').Select((part, index) => index % 2 == 0 ? Escape(part) : $"\\fB{Escape(part)}\\fR")));

    private static string Bold(string text) => $"\\fB{Escape(text)}\\fR";

    private static string Quoted(string text) => $"\"{Escape(text).Replace("\"", "\\(dq", StringComparison.Ordinal)}\"";

    // A dot or an apostrophe at the beginning of a line would be an order.
    private static string Guard(string line) => line.StartsWith('.') || line.StartsWith('\'') ? "\\&" + line : line;

    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            escaped.Append(rune.Value switch
            {
                '\\' => "\\e",
                '-' => "\\-",
                '\'' => "\\(aq",
                '`' => "\\(ga",
                '^' => "\\(ha",
                '~' => "\\(ti",
                < 0x80 => rune.ToString(),
                _ => string.Create(CultureInfo.InvariantCulture, $"\\[u{rune.Value:X4}]"),
            });
        }

        return escaped.ToString();
    }

    private Troff Line(string line)
    {
        _text.Append(line).Append('\n');
        return this;
    }
}
