using System.Text;
using System.Text.Json;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>
/// Reads JSON that other programs wrote: what is missing or of another kind is null, never an exception.
/// </summary>
internal static class JsonRead
{
    // A record that somebody wraps in noise is looked for from the end; each try parses once.
    private const int MostTries = 20;

    // A line that looks like a record and is none costs an exception. No program writes so many; what comes behind them
    // is not read, so that an agent cannot keep its run from ending by what it prints.
    private const int MostBroken = 10_000;

    // Bytes that are looked at for the ends of such records, over all tries.
    private const long MostScanned = 16L * OutsideLines.LongestLine;

    // More than any model can be asked for, and so little that a sum of sums stays a number.
    private const long MostTokens = 1_000_000_000_000_000;
    private const decimal MostMoney = 1_000_000_000;

    private static ReadOnlySpan<byte> Mark => [0xEF, 0xBB, 0xBF];

    public static JsonElement? At(this JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
            {
                return null;
            }
        }

        return element;
    }

    public static string? Text(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.String } found ? found.GetString() : null;

    public static long? Number(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Number } found && found.TryGetInt64(out var value) ? value : null;

    /// <summary>A number of tokens; null for what none can be, below zero or beyond all measure.</summary>
    public static long? Tokens(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.Number(path) is { } count and >= 0 and <= MostTokens ? count : null;

    /// <summary>A sum of money; null for what none can be.</summary>
    public static decimal? Money(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Number } found && found.TryGetDecimal(out var value) && value is >= 0 and <= MostMoney ? value : null;

    /// <summary>One count more, or the most that is counted; a part that is not told changes nothing.</summary>
    public static long? Plus(long? sum, long? next) => next is null ? sum : Math.Min((sum ?? 0) + next.Value, MostTokens);

    public static decimal? Plus(decimal? sum, decimal? next) => next is null ? sum : Math.Min((sum ?? 0) + next.Value, MostMoney);

    public static bool? Flag(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path)?.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };

    public static IEnumerable<JsonElement> Items(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Array } found ? found.EnumerateArray() : [];

    public static IEnumerable<JsonProperty> Members(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Object } found ? found.EnumerateObject() : [];

    /// <summary>Every line that is a JSON object by itself.</summary>
    public static IEnumerable<JsonElement> Objects(OutsideLines lines)
    {
        var broken = 0;
        foreach (var line in lines.Read())
        {
            if (!IsObject(line.Span) || !IsClosed(line.Span))
            {
                continue;
            }

            if (Parse(line.Span, lines) is { } found)
            {
                yield return found;
            }
            else if (++broken > MostBroken)
            {
                lines.GiveUp();
                yield break;
            }
        }
    }

    /// <summary>
    /// The last JSON object that begins at the left edge and ends its line, over as many lines as it takes.
    /// </summary>
    public static JsonElement? Whole(OutsideLines lines) => Whole(lines.ReadEnd(), lines);

    public static JsonElement? Whole(string text) => Whole(Encoding.UTF8.GetBytes(text), null);

    public static JsonElement? Parse(ReadOnlySpan<byte> text) => Parse(text, null);

    private static JsonElement? Parse(ReadOnlySpan<byte> text, OutsideLines? lines)
    {
        if (OutsideJson.Element(text, out _, out var repaired) is not { ValueKind: JsonValueKind.Object } found)
        {
            return null;
        }

        if (repaired)
        {
            lines?.CountRepaired();
        }

        return found;
    }

    private static JsonElement? Whole(byte[] text, OutsideLines? lines)
    {
        var (end, room) = (text.Length, MostScanned);
        for (var tries = 0; tries < MostTries && room > 0 && end > 0; end = text.AsSpan(0, end).LastIndexOf((byte)'\n'))
        {
            var start = text.AsSpan(0, end).LastIndexOf((byte)'\n') + 1;
            if (!IsObject(text.AsSpan(start)))
            {
                continue;
            }

            // What a program says after its record, on lines of their own, takes nothing from it.
            var length = LengthOfObject(text.AsSpan(start));
            room -= length ?? text.Length - start;
            if (length is not { } whole || !EndsItsLine(text.AsSpan(start + whole)))
            {
                continue;
            }

            tries++;
            if (Parse(text.AsSpan(start, whole), lines) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    // Whether the brace that opens a line is closed by its last character.
    private static bool IsClosed(ReadOnlySpan<byte> line) => LengthOfObject(line) is { } length && line[length..].TrimEnd(" \t\r"u8).IsEmpty;

    private static bool EndsItsLine(ReadOnlySpan<byte> rest) => (rest.IndexOf((byte)'\n') is >= 0 and var at ? rest[..at] : rest).TrimEnd(" \t\r"u8).IsEmpty;

    // To the brace that closes the first one, by a look at quotes and brackets alone; null where none does.
    private static int? LengthOfObject(ReadOnlySpan<byte> text)
    {
        var (depth, isText) = (0, false);
        for (var at = text.IndexOf((byte)'{'); at < text.Length; at++)
        {
            switch (text[at])
            {
                case (byte)'\\' when isText:
                    at++;
                    break;
                case (byte)'"':
                    isText = !isText;
                    break;
                case (byte)'{' or (byte)'[' when !isText:
                    depth++;
                    break;
                case (byte)'}' or (byte)']' when !isText:
                    if (--depth == 0)
                    {
                        return at + 1;
                    }

                    break;
            }
        }

        return null;
    }

    private static bool IsObject(ReadOnlySpan<byte> line) => line is [(byte)'{', ..] || (line.StartsWith(Mark) && line[Mark.Length..] is [(byte)'{', ..]);
}
