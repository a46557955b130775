using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Completion for zsh, from the commands alone: one function a command.</summary>
public static class ZshCompletion
{
    public static string Write(string program, CommandModel root)
    {
        var text = new StringBuilder($"#compdef {program}\n# zsh completion for {program}, made by '{program} completion zsh'\n");
        foreach (var command in root.All)
        {
            text.Append($"\n{Function(program, command)}() {{\n");
            text.Append(command.Commands.Count > 0 ? "  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C -S" : "  _arguments -S");
            foreach (var option in command.Options)
            {
                text.Append(" \\\n    ").Append(Option(option));
            }

            var place = 1;
            foreach (var argument in command.Arguments)
            {
                text.Append($" \\\n    {Quote($"{place++}{(argument.Optional ? "::" : ":")}{Plain(argument.Name)}:{Values(argument.Kind, argument.Words)}")}");
            }

            if (command.Commands.Count > 0)
            {
                text.Append($" \\\n    {Quote($"1:command:(({string.Join(' ', command.Commands.Select(one => $"{one.Path[^1]}\\:\"{Described(one.Title)}\""))}))")} \\\n    '*::argument:->below'\n");
                text.Append("  [[ $state == below ]] || return\n  case $line[1] in\n");
                foreach (var one in command.Commands)
                {
                    text.Append($"    {one.Path[^1]}) {Function(program, one)} ;;\n");
                }

                text.Append("  esac\n}\n");
            }
            else
            {
                text.Append("\n}\n");
            }
        }

        return text.Append($"\n{Function(program, root)} \"$@\"\n").ToString();
    }

    private static string Function(string program, CommandModel command) => "_" + string.Join('_', command.Path.Prepend(program)).Replace("-", "_", StringComparison.Ordinal);

    // Either name excludes the other, unless the option may be given again.
    private static string Option(OptionModel option)
    {
        var value = option.Kind == ValueKind.None ? "" : $":{Plain(option.Value)}:{Values(option.Kind, option.Words)}";
        var described = $"[{Plain(option.Description)}]{value}";
        var before = option.Repeatable ? "*" : $"({string.Join(' ', option.Names)})";
        return string.Join(" \\\n    ", option.Names.Select(name => Quote($"{before}{name}{described}")));
    }

    private static string Values(ValueKind kind, IReadOnlyList<string> words) => kind switch
    {
        _ when words.Count > 0 => $"({string.Join(' ', words)})",
        ValueKind.File => "_files",
        ValueKind.Directory => "_files -/",
        _ => " ",
    };

    private static string Plain(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal).Replace("]", "\\]", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);

    private static string Described(string text) => Plain(text).Replace("\"", "", StringComparison.Ordinal).Replace("$", "\\$", StringComparison.Ordinal).Replace("`", "", StringComparison.Ordinal);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
