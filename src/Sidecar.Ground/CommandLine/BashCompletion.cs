using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Completion for bash, from the commands alone: no helper of the shell's packages is needed, and the program is not asked at every key.</summary>
public static class BashCompletion
{
    public static string Write(string program, CommandModel root)
    {
        var name = "_" + program.Replace('-', '_');
        var all = root.All.ToList();
        var text = new StringBuilder($$"""
            # bash completion for {{program}}, made by '{{program}} completion bash'
            {{name}}() {
              local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at='' i
              COMPREPLY=()
              # --option=value arrives as three words.
              if [ "$cur" = = ]; then cur=''; elif [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
              for ((i = 1; i < COMP_CWORD; i++)); do
                # What an option takes is not a command.
                if [ "${COMP_WORDS[i - 1]}" = = ]; then continue; fi
                case "$at ${COMP_WORDS[i - 1]}" in
                  {{Alternatives(all.SelectMany(command => command.Options.Where(TakesValue).SelectMany(option => option.Names.Select(word => Place(command) + " " + word))))}}) continue ;;
                esac
                case "$at ${COMP_WORDS[i]}" in
                  {{Alternatives(all.Where(command => command.Path.Count > 0).Select(Place))}}) at="$at ${COMP_WORDS[i]}" ;;
                esac
              done
              case "$at $prev" in

            """);
        foreach (var (values, places) in all.SelectMany(command => command.Options.Where(TakesValue).SelectMany(option => option.Names.Select(word => (Values: Values(option.Kind, option.Words), Place: Place(command) + " " + word))))
            .GroupBy(one => one.Values, one => one.Place).Select(group => (group.Key, group)))
        {
            text.Append($"    {Alternatives(places)}) {values}; return ;;\n");
        }

        text.Append("  esac\n  case \"$at\" in\n");
        foreach (var command in all)
        {
            var words = command.Commands.Select(one => one.Path[^1]).Concat(command.Arguments.SelectMany(argument => argument.Words)).ToList();
            var options = command.Options.SelectMany(option => option.Names).Order(StringComparer.Ordinal);
            var otherwise = words.Count > 0 || command.Arguments.Count == 0
                ? Words(words)
                : Values(command.Arguments[0].Kind, []);
            text.Append($"    {Quote(Place(command))}) if [[ $cur == -* ]]; then {Words(options)}; else {otherwise}; fi ;;\n");
        }

        return text.Append($"  esac\n}}\ncomplete -F {name} {program}\n").ToString();
    }

    private static bool TakesValue(OptionModel option) => option.Kind != ValueKind.None;

    private static string Place(CommandModel command) => string.Concat(command.Path.Select(word => " " + word));

    private static string Values(ValueKind kind, IReadOnlyList<string> words) => kind switch
    {
        _ when words.Count > 0 => Words(words),
        ValueKind.File => "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
        ValueKind.Directory => "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")",
        _ => ":",
    };

    private static string Words(IEnumerable<string> words) => string.Join(' ', words) is { Length: > 0 } list
        ? $"mapfile -t COMPREPLY < <(compgen -W {Quote(list)} -- \"$cur\")" : ":";

    private static string Alternatives(IEnumerable<string> words) => string.Join(" | ", words.Distinct().Select(Quote));

    private static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
