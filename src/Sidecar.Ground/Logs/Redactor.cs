using System.Collections.Concurrent;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Logs;

/// <summary>Takes secrets out of any text before it leaves the process: values it was told, and forms that are always secret.</summary>
/// <remarks>Text is cleaned before it is cut, because half of a secret is not known as one. Where somebody else cut it before, by an
/// ellipsis, the half beside that mark is masked as well.</remarks>
public sealed class Redactor
{
    private const string Mask = "***";
    private const char Cut = '…';
    private const int Shortest = 8, MostCuts = 1_000;
    private const int MostKept = 1_000; // Tokens that are renewed each hour do not fill the memory.
    private readonly ConcurrentDictionary<string, bool> _secrets = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();

    // Longest first: a secret may be part of another one.
    private volatile string[] _known = [];

    /// <summary>Remembers a value and what becomes of it in a URL. Values shorter than eight characters are not secrets worth having and would blank ordinary words.</summary>
    public void Learn(string secret)
    {
        if (secret.Length < Shortest || !Add(secret))
        {
            return;
        }

        if (Uri.EscapeDataString(secret) is var escaped && escaped != secret)
        {
            Add(escaped);
        }

        while (_order.Count > MostKept && _order.TryDequeue(out var oldest))
        {
            _secrets.TryRemove(oldest, out _);
        }

        _known = [.. _secrets.Keys.OrderByDescending(value => value.Length)];
    }

    public string Clean(string text)
    {
        foreach (var secret in _known)
        {
            text = text.Replace(secret, Mask, StringComparison.Ordinal);
        }

        return SecretForms.Mask(text.Contains(Cut, StringComparison.Ordinal) ? WithoutHalves(text) : text, Mask);
    }

    /// <summary>The last characters of a text that is longer: cleaned first, and cut only then.</summary>
    /// <param name="text">The text, or null.</param>
    /// <param name="length">How many characters are kept.</param>
    public string? Tail(string? text, int length) => text is null ? null : Printable.Tail(Clean(text), length);

    private bool Add(string secret)
    {
        if (!_secrets.TryAdd(secret, true))
        {
            return false;
        }

        _order.Enqueue(secret);
        return true;
    }

    private string WithoutHalves(string text)
    {
        // Somebody who prints nothing but ellipses costs no more than a long text.
        var parts = text.Split(Cut, MostCuts);
        foreach (var secret in _known.Where(secret => text.Contains(secret[..Shortest], StringComparison.Ordinal) || text.Contains(secret[^Shortest..], StringComparison.Ordinal)))
        {
            for (var index = 0; index < parts.Length; index++)
            {
                var (isCutAtEnd, isCutAtStart) = (index < parts.Length - 1, index > 0);
                if (isCutAtEnd && LongestHead(parts[index], secret) is var head and > 0)
                {
                    parts[index] = parts[index][..^head] + Mask;
                }

                if (isCutAtStart && LongestTail(parts[index], secret) is var tail and > 0)
                {
                    parts[index] = Mask + parts[index][tail..];
                }
            }
        }

        return string.Join(Cut, parts);
    }

    // How many characters at the end of a text are the beginning of a secret; less than eight say nothing.
    private static int LongestHead(string text, string secret) => Enumerable.Range(Shortest, Math.Max(0, Math.Min(secret.Length - 1, text.Length) - Shortest + 1))
        .LastOrDefault(length => text.AsSpan(text.Length - length).SequenceEqual(secret.AsSpan(0, length)));

    private static int LongestTail(string text, string secret) => Enumerable.Range(Shortest, Math.Max(0, Math.Min(secret.Length - 1, text.Length) - Shortest + 1))
        .LastOrDefault(length => text.AsSpan(0, length).SequenceEqual(secret.AsSpan(secret.Length - length)));
}
