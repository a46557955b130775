using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace FleetSidecar.Testing;

/// <summary>Makes hostile inputs out of good ones: half surrogate pairs, byte order marks, UTF-16, NUL, depth, keys twice, numbers beyond all measure, cuts, flipped bytes.</summary>
/// <remarks>A run prints its seed; <c>FLEET_SEED</c> repeats it.</remarks>
public sealed partial class HostileText(int seed)
{
    private static readonly string[] Pieces =
    [
        @"\ud83d", @"\udc00", @"\ud83d\ud83d", @"\udc00\ud83d", @"\u0000", @"\\ud83d", @"\\\ud83d", @"\uD83D\u0000", @"\u12", @"\u", "\\", "\"", "\u2028", "\ufeff", "😀", "\u202e",
    ];

    private static readonly byte[][] Raw = [[0], [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0xBD], [0xF0, 0x9F, 0x98], [0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xFE, 0xFF], [0x1B, (byte)'['], [(byte)'\r', (byte)'\n']];

    private static readonly string[] Values =
    [
        "-1", "1e999", "-1e999", "1e-999", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999999999999999", "79228162514264337593543950336",
        "0.1", "null", "true", "NaN", "[]", "{}", "\"\"", "\"\\ud83d\"", "[\"\\udc00\"]", "{\"\\ud83d\":1}", "{\"a\":1,\"a\":2}", "{\"\\ud83d\":1,\"\\ud83e\":2}",
    ];

    private readonly Random _random = new(seed);

    /// <summary>The seed of this run.</summary>
    public static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("FLEET_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();

    /// <summary>Feeds a reader with so many inputs that were made from good ones; what it throws is told with the input and the seed.</summary>
    /// <param name="rounds">How many inputs.</param>
    /// <param name="good">What the reader takes.</param>
    /// <param name="read">Reads one; throws where something is wrong.</param>
    /// <param name="say">Hears the seed.</param>
    public static void Feed(int rounds, IReadOnlyList<byte[]> good, Action<byte[]> read, Action<string> say)
    {
        say($"FLEET_SEED={Seed}, {rounds} inputs");
        var hostile = new HostileText(Seed);
        for (var round = 0; round < rounds; round++)
        {
            var input = hostile.Next(good[round % good.Count]);
            try
            {
                read(input);
            }
            catch (Exception fault)
            {
                throw new InvalidOperationException($"FLEET_SEED={Seed}, input {round}: {fault.GetType().Name}: {fault.Message}\n{Convert.ToBase64String(input)}\n{Encoding.UTF8.GetString(input)}", fault);
            }
        }
    }

    /// <summary>The next hostile input.</summary>
    public byte[] Next(byte[] good)
    {
        var text = good;
        for (var change = _random.Next(1, 4); change > 0; change--)
        {
            text = Change(text);
        }

        return text;
    }

    private byte[] Change(byte[] text) => _random.Next(14) switch
    {
        0 or 1 or 2 => Insert(text, Encoding.UTF8.GetBytes(Pieces[_random.Next(Pieces.Length)]), afterQuote: true),
        3 => Insert(text, Raw[_random.Next(Raw.Length)], afterQuote: _random.Next(2) == 0),
        4 => [0xEF, 0xBB, 0xBF, .. text],
        5 => Wide(text),
        6 or 7 => Replace(text, Number(), Values[_random.Next(Values.Length)]),
        8 => Replace(text, Quoted(), Values[_random.Next(Values.Length)]),
        9 => Replace(text, Number(), Deep()),
        10 => Twice(text),
        11 => text[..(text.Length == 0 ? 0 : _random.Next(text.Length))],
        12 => Flip(text),
        _ => Insert(text, Encoding.UTF8.GetBytes(Deep()), afterQuote: false),
    };

    private byte[] Wide(byte[] text)
    {
        Encoding wide = _random.Next(2) == 0 ? Encoding.Unicode : Encoding.BigEndianUnicode;
        var bytes = wide.GetBytes(Encoding.UTF8.GetString(text));
        return _random.Next(3) == 0 ? bytes : [.. wide.GetPreamble(), .. bytes.AsSpan(0, Math.Max(0, bytes.Length - _random.Next(2)))];
    }

    private byte[] Insert(byte[] text, byte[] piece, bool afterQuote)
    {
        var at = _random.Next(text.Length + 1);
        if (afterQuote && Array.IndexOf(text, (byte)'"', at) is >= 0 and var quote)
        {
            at = quote + 1;
        }

        return [.. text.AsSpan(0, at), .. piece, .. text.AsSpan(at)];
    }

    private byte[] Replace(byte[] text, Regex what, string value)
    {
        var whole = Encoding.Latin1.GetString(text);
        var found = what.Matches(whole);
        if (found.Count == 0)
        {
            return text;
        }

        var one = found[_random.Next(found.Count)];
        return [.. text.AsSpan(0, one.Index), .. Encoding.UTF8.GetBytes(value), .. text.AsSpan(one.Index + one.Length)];
    }

    private string Deep()
    {
        var depth = _random.Next(20, 80);
        return _random.Next(2) == 0 ? new string('[', depth) + new string(']', depth) : string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
    }

    private static byte[] Twice(byte[] text)
    {
        var pair = Pair().Match(Encoding.Latin1.GetString(text));
        return !pair.Success ? text : [.. text.AsSpan(0, pair.Index), .. Encoding.Latin1.GetBytes(pair.Value), .. text.AsSpan(pair.Index)];
    }

    private byte[] Flip(byte[] text)
    {
        var changed = text.ToArray();
        for (var flips = _random.Next(1, 4); flips > 0 && changed.Length > 0; flips--)
        {
            changed[_random.Next(changed.Length)] = (byte)_random.Next(256);
        }

        return changed;
    }

    [GeneratedRegex(@"(?<=[:,\[ ])-?\d[\d.]*")]
    private static partial Regex Number();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("\"[^\"]*\":(\"[^\"]*\"|\\d+),")]
    private static partial Regex Pair();
}
