using System.Text;

namespace FleetSidecar.Agents.Units;

/// <summary>The order that waits for a unit, where the agent cannot change it: what to become, with which variables, and where to keep the record. Pure.</summary>
/// <remarks>Lines, because a shell reads them without interpreting anything; see <c>packaging/systemd/fleet-agent-run</c>. The last
/// line says that it is whole.</remarks>
internal sealed record UnitOrder(string Record, string Workspace, string Input, IReadOnlyList<KeyValuePair<string, string>> Environment, IReadOnlyList<string> Command)
{
    /// <summary>The network that a unit without one must not find itself in, as <c>/proc/self/ns/net</c> says it; null where nothing is to be checked.</summary>
    public string? OutsideNetwork { get; init; }

    public const string FileName = "order", LentFile = "lent";

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem =>
        Environment.FirstOrDefault(pair => !IsName(pair.Key) || HasBreak(pair.Value)).Key is { } name ? $"the variable '{name}' cannot be given to an agent's unit: its name is no identifier or its value holds a line break"
        : Command.Any(HasBreak) || HasBreak(Workspace) || HasBreak(Input) ? "a word of the wake command holds a line break"
        : null;

    public string Text
    {
        get
        {
            var text = new StringBuilder($"fleet-order 1\n{Record}\n{Workspace}\n{Input}\n");
            foreach (var (name, value) in Environment)
            {
                text.Append('e').Append(name).Append('=').Append(value).Append('\n');
            }

            if (OutsideNetwork is not null)
            {
                text.Append('n').Append(OutsideNetwork).Append('\n');
            }

            foreach (var word in Command)
            {
                text.Append('a').Append(word).Append('\n');
            }

            return text.Append(".\n").ToString();
        }
    }

    private static bool IsName(string name) => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');

    private static bool HasBreak(string word) => word.AsSpan().ContainsAny('\n', '\0');
}
