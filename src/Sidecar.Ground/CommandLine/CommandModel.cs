using System.CommandLine;
using System.CommandLine.Completions;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>What may stand where an option or argument wants a value.</summary>
public enum ValueKind
{
    /// <summary>Nothing: the option alone says it.</summary>
    None,

    /// <summary>Any text.</summary>
    Text,

    /// <summary>The name of a file.</summary>
    File,

    /// <summary>The name of a directory.</summary>
    Directory,
}

/// <summary>An option as people see it.</summary>
/// <param name="Names">The long name first.</param>
/// <param name="Description">One sentence.</param>
/// <param name="Value">What stands for the value in help, as FILE.</param>
/// <param name="Kind">What the value may be.</param>
/// <param name="Words">The only values there are; empty where any will do.</param>
/// <param name="Default">Null where there is none.</param>
public sealed record OptionModel(IReadOnlyList<string> Names, string Description, string Value, ValueKind Kind, IReadOnlyList<string> Words, string? Default, bool Required, bool Repeatable);

/// <summary>An argument as people see it.</summary>
public sealed record ArgumentModel(string Name, string Description, ValueKind Kind, IReadOnlyList<string> Words, bool Optional);

/// <summary>A command as people see it, made from the command line's own tree: completion and manual pages are written from it, so they cannot tell another story.</summary>
/// <param name="Path">The words after the program's name; none for the program itself.</param>
/// <param name="Summary">The description without its examples.</param>
/// <param name="Examples">Lines to type.</param>
public sealed record CommandModel(
    IReadOnlyList<string> Path, string Summary, IReadOnlyList<string> Examples, IReadOnlyList<OptionModel> Options, IReadOnlyList<ArgumentModel> Arguments, IReadOnlyList<CommandModel> Commands)
{
    /// <summary>This command and all below it, in the order of the help.</summary>
    public IEnumerable<CommandModel> All => Commands.SelectMany(command => command.All).Prepend(this);

    /// <summary>The first sentence, for lists.</summary>
    public string Title => Summary.Split(". ")[0].TrimEnd('.');

    public static CommandModel Of(RootCommand root) => Of(root, [], []);

    private static CommandModel Of(Command command, IReadOnlyList<string> path, IReadOnlyList<Option> inherited)
    {
        List<Option> options = [.. command.Options, .. inherited];
        var parts = (command.Description ?? "").Split("\n\nExample", 2);
        var examples = parts.Length == 1 ? [] : parts[1].Split('\n').Skip(1).Select(line => line.Length > 2 ? line[2..] : line).ToList();
        return new CommandModel(
            path, parts[0].ReplaceLineEndings(" "), examples,
            [.. options.Where(option => !option.Hidden).Select(Of)],
            [.. command.Arguments.Where(argument => !argument.Hidden).Select(argument => new ArgumentModel(argument.Name, argument.Description ?? "", KindOf(argument.Name), WordsOf(argument, argument.ValueType), argument.Arity.MinimumNumberOfValues == 0))],
            [.. command.Subcommands.Where(one => !one.Hidden).Select(one => Of(one, [.. path, one.Name], [.. options.Where(option => option.Recursive)]))]);
    }

    private static OptionModel Of(Option option)
    {
        var alone = option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool) || option.ValueType == typeof(void);
        var value = alone ? "" : option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();
        return new OptionModel(
            [option.Name, .. option.Aliases.Where(alias => alias.StartsWith('-') && alias != "-?").Order(StringComparer.Ordinal)], option.Description ?? "", value, alone ? ValueKind.None : KindOf(value),
            alone ? [] : WordsOf(option, option.ValueType), alone || !option.HasDefaultValue ? null : option.GetDefaultValue()?.ToString(),
            option.Required, option.Arity.MaximumNumberOfValues > 1);
    }

    // The help names values by what they are.
    private static ValueKind KindOf(string value) => value switch
    {
        "FILE" => ValueKind.File,
        "DIR" or "URL|DIR" => ValueKind.Directory,
        _ => ValueKind.Text,
    };

    private static List<string> WordsOf(Symbol symbol, Type type) =>
        type == typeof(string) ? [.. symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label)] : [];
}
