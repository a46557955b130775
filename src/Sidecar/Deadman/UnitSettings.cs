using System.Text;

namespace FleetSidecar.Deadman;

/// <summary>The settings that a unit gives its daemon as environment, as <c>systemctl show</c> prints them, in the form of <c>--set</c>. Pure.</summary>
internal static class UnitSettings
{
    private const string Prefix = "FLEET_SIDECAR__";

    public static IReadOnlyList<string> In(string? environment) =>
        [.. Words(environment ?? "").Where(word => word.StartsWith(Prefix, StringComparison.Ordinal) && word.Contains('=', StringComparison.Ordinal)).Select(word => word[Prefix.Length..].Split('=', 2) is var parts ? $"{parts[0].Replace("__", ".", StringComparison.Ordinal)}={parts[1]}" : "")];

    // Words with blanks in them stand in quotes, quotes and backslashes behind a backslash.
    private static IEnumerable<string> Words(string text)
    {
        var (word, quoted) = (new StringBuilder(), false);
        for (var index = 0; index < text.Length; index++)
        {
            switch (text[index])
            {
                case '\\' when index + 1 < text.Length: word.Append(text[++index]); break;
                case '"': quoted = !quoted; break;
                case ' ' when !quoted: yield return word.ToString(); word.Clear(); break;
                default: word.Append(text[index]); break;
            }
        }

        yield return word.ToString();
    }
}
