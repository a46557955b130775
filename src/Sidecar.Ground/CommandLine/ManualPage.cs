namespace FleetSidecar.Ground.CommandLine;

/// <summary>What a manual page says beside the commands.</summary>
/// <param name="ExitCodes">Each with its meaning.</param>
/// <param name="Files">Each with what is in it.</param>
/// <param name="SeeAlso">Other pages, as <c>systemctl(1)</c>.</param>
public sealed record ManualNotes(IReadOnlyList<(int Code, string Meaning)> ExitCodes, IReadOnlyList<(string Path, string Meaning)> Files, IReadOnlyList<string> SeeAlso);

/// <summary>The manual page of a program, from its commands.</summary>
public static class ManualPage
{
    // An option that many commands share is explained once.
    private const int Shared = 3;

    public static string Write(string program, string version, string date, CommandModel root, ManualNotes notes)
    {
        var commands = root.All.Skip(1).ToList();
        var shared = commands.SelectMany(command => command.Options).GroupBy(Identity).Where(group => group.Count() >= Shared).ToDictionary(group => group.Key, group => group.First());
        var page = new Troff().Head(program, 1, date, $"{program} {version}")
            .Section("Name").Paragraph($"{program} - {char.ToLowerInvariant(root.Title[0])}{root.Title[1..]}")
            .Section("Synopsis").Paragraph($"`{program}` COMMAND [OPTION]...")
            .Section("Description").Paragraph(root.Summary)
            .Section("Commands");
        foreach (var command in commands.Where(command => command.Commands.Count == 0))
        {
            page.Subsection(Usage(program, command)).Paragraph(command.Summary);
            foreach (var argument in command.Arguments)
            {
                page.Item(argument.Name, Values(argument.Description, argument.Words, null));
            }

            foreach (var option in command.Options.Where(option => !shared.ContainsKey(Identity(option))))
            {
                Explain(page, option);
            }
        }

        page.Section("Options").Paragraph("Of the program itself, and of every command that lists them in its line:");
        foreach (var option in root.Options.Concat(shared.Values).DistinctBy(Identity))
        {
            Explain(page, option);
        }

        page.Section("Examples").Literal(root.Examples.Concat(commands.SelectMany(command => command.Examples)).Distinct());
        page.Section("Exit status");
        foreach (var (code, meaning) in notes.ExitCodes)
        {
            page.Item($"{code}", meaning);
        }

        page.Section("Files");
        foreach (var (path, meaning) in notes.Files)
        {
            page.Item(path, meaning);
        }

        return page.Section("See also").Paragraph(string.Join(", ", notes.SeeAlso.Select(name => $"`{name}`"))).ToString();
    }

    private static string Identity(OptionModel option) => $"{option.Names[0]} {option.Description}";

    private static void Explain(Troff page, OptionModel option) =>
        page.Item($"{string.Join(", ", option.Names)} {option.Value}".TrimEnd(), Values(option.Description, option.Words, option.Default));

    private static string Values(string description, IReadOnlyList<string> words, string? otherwise) =>
        description.TrimEnd('.') + "."
        + (words.Count > 0 ? $" One of {string.Join(", ", words.Select(word => $"`{word}`"))}." : "")
        + (string.IsNullOrEmpty(otherwise) ? "" : $" Default `{otherwise}`.");

    private static string Usage(string program, CommandModel command) => string.Join(' ', command.Path.Prepend(program)
        .Concat(command.Arguments.Select(argument => argument.Optional ? $"[{argument.Name}]" : argument.Name))
        .Concat(command.Options.Where(option => option.Names[0] != "--help").OrderByDescending(option => option.Required).Select(option =>
        {
            var one = $"{option.Names[0]} {option.Value}".TrimEnd();
            return (option.Required ? one : $"[{one}]") + (option.Repeatable ? "..." : "");
        })));
}
