using System.Text.RegularExpressions;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>A manual page from a page of the documentation, so that what a key means is written once.</summary>
/// <remarks>Knows what our pages use: headings, paragraphs, tables, lists and fenced code. A row of a table becomes a term (its first
/// cell) with the cell under "meaning", and what the other cells say after it.</remarks>
public static partial class MarkdownManual
{
    public static string Write(string name, string title, string version, string date, string markdown)
    {
        var page = new Troff().Head(name, 5, date, version).Section("Name").Paragraph($"{name} - {title}").Section("Description");
        var lines = markdown.ReplaceLineEndings("\n").Split('\n');
        for (var at = 0; at < lines.Length;)
        {
            at = Block(page, lines, at);
        }

        return page.ToString();
    }

    // One block; returns where the next one begins.
    private static int Block(Troff page, string[] lines, int at)
    {
        var line = lines[at];
        if (line.StartsWith("```", StringComparison.Ordinal))
        {
            var code = lines.Skip(at + 1).TakeWhile(one => !one.StartsWith("```", StringComparison.Ordinal)).ToList();
            page.Literal(code);
            return at + code.Count + 2;
        }

        if (line.StartsWith('#'))
        {
            // The page's own heading is its name already.
            if (line.StartsWith("##", StringComparison.Ordinal))
            {
                page.Section(Words(line.TrimStart('#').Trim()).Replace("`", "", StringComparison.Ordinal));
            }

            return at + 1;
        }

        if (line.StartsWith('|'))
        {
            var rows = lines.Skip(at).TakeWhile(one => one.StartsWith('|')).Select(Cells).ToList();
            foreach (var row in rows.Skip(2))
            {
                page.Item(row[0].Replace("`", "", StringComparison.Ordinal), Row(rows[0], row));
            }

            return at + rows.Count;
        }

        if (line.Length == 0)
        {
            return at + 1;
        }

        var bullet = Bullet().IsMatch(line);
        var text = lines.Skip(at + 1).TakeWhile(one => one.Length > 0 && !one.StartsWith('|') && !one.StartsWith('#') && !one.StartsWith("```", StringComparison.Ordinal) && !Bullet().IsMatch(one)).Prepend(line).ToList();
        var joined = Words(string.Join(' ', text.Select(one => one.Trim())));
        _ = bullet ? page.Bullet(joined[2..]) : page.Paragraph(joined);
        return at + text.Count;
    }

    private static string Row(IReadOnlyList<string> heads, IReadOnlyList<string> row)
    {
        var cells = heads.Zip(row).Skip(1).Where(pair => pair.Second.Length > 0).ToList();
        var first = cells.Where(pair => pair.First == "meaning").Select(pair => Words(pair.Second).TrimEnd('.') + ".");
        return string.Join(' ', first.Concat(cells.Where(pair => pair.First != "meaning").Select(pair => pair.Second == "required" ? "Required." : $"{char.ToUpperInvariant(pair.First[0])}{pair.First[1..]}: {Words(pair.Second)}.")));
    }

    private static List<string> Cells(string row) => [.. row.Trim().Trim('|').Split('|').Select(cell => cell.Trim())];

    private static string Words(string text) => Strong().Replace(Link().Replace(text, "${text}"), "${text}");

    [GeneratedRegex(@"\[(?<text>[^\]]+)\]\([^)]*\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\*\*(?<text>[^*]+)\*\*")]
    private static partial Regex Strong();

    [GeneratedRegex(@"^[-*] ")]
    private static partial Regex Bullet();
}
