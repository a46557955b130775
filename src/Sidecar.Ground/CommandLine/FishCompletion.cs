using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Completion for fish, from the commands alone.</summary>
public static class FishCompletion
{
    public static string Write(string program, CommandModel root)
    {
        var at = $"__{program.Replace('-', '_')}_at";
        var all = root.All.ToList();
        var commands = string.Join(' ', all.Where(command => command.Path.Count > 0).Select(Place).Select(Quote));
        var values = string.Join(' ', all.SelectMany(command => command.Options.Where(option => option.Kind != ValueKind.None).SelectMany(option => option.Names)).Distinct().Order(StringComparer.Ordinal));
        var text = new StringBuilder($$"""
            # fish completion for {{program}}, made by '{{program}} completion fish'
            function {{at}} --description 'Whether the words so far name this command'
                set --local place
                set --local value no
                for word in (commandline --tokenize --cut-at-cursor --current-process)[2..]
                    if test $value = yes
                        set value no
                    else if contains -- $word {{values}}
                        set value yes
                    else if contains -- (string join ' ' $place $word) {{commands}}
                        set place $place $word
                    end
                end
                test "$(string join ' ' $place)" = "$argv"
            end
            complete --command {{program}} --no-files

            """);
        foreach (var command in all)
        {
            var here = $"complete --command {program} --condition {Quote($"{at} {Place(command)}".TrimEnd())}";
            foreach (var one in command.Commands)
            {
                text.Append($"{here} --arguments {Quote(one.Path[^1])} --description {Quote(one.Title)}\n");
            }

            foreach (var argument in command.Arguments)
            {
                text.Append($"{here}{Values(argument.Kind, argument.Words)} --description {Quote(argument.Description)}\n");
            }

            foreach (var option in command.Options)
            {
                var names = string.Concat(option.Names.Select(name => name.StartsWith("--", StringComparison.Ordinal) ? $" --long-option {name[2..]}" : name.Length == 2 ? $" --short-option {name[1..]}" : $" --old-option {name[1..]}"));
                var needed = option.Kind == ValueKind.None ? "" : " --require-parameter" + Values(option.Kind, option.Words);
                text.Append($"{here}{names}{needed} --description {Quote(option.Description)}\n");
            }
        }

        return text.ToString();
    }

    private static string Place(CommandModel command) => string.Join(' ', command.Path);

    private static string Values(ValueKind kind, IReadOnlyList<string> words) => kind switch
    {
        _ when words.Count > 0 => $" --no-files --arguments {Quote(string.Join(' ', words))}",
        ValueKind.File => " --force-files",
        ValueKind.Directory => " --no-files --arguments '(__fish_complete_directories)'",
        _ => " --no-files",
    };

    private static string Quote(string text) => $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
