using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace FleetSidecar.Protocol;

/// <summary>
/// The border for JSON from outside: a value whose texts can be read, or one line that says why there is none.
/// Nothing throws for content.
/// </summary>
/// <remarks>
/// The one place of both programs that calls the framework's JSON readers; a test of the sources sees to it. See <see
/// cref="OutsideText"/>.
/// </remarks>
public static class OutsideJson
{
    /// <summary>Deepest nesting that is read where nothing else is said.</summary>
    public const int MaxDepth = 64;

    private const int LongestProblem = 200, MostParts = 1_000_000;

    private static readonly JsonDocumentOptions Usual = new() { MaxDepth = MaxDepth };

    private static readonly JsonDocumentOptions OfTheWire = new()
    {
        MaxDepth = WireLimits.MaxDepth, AllowDuplicateProperties = false,
    };

    /// <summary>The value, or null with the reason in <paramref name="problem"/>.</summary>
    public static JsonElement? Element(ReadOnlySpan<byte> bytes, out string? problem) =>
        Element(bytes, Usual, out problem, out _);

    /// <summary>The same for a caller who does not need the reason.</summary>
    public static JsonElement? Element(ReadOnlySpan<byte> bytes) => Element(bytes, Usual, out _, out _);

    /// <summary>The same, and whether U+FFFD stands in it for something that was no text.</summary>
    public static JsonElement? Element(ReadOnlySpan<byte> bytes, out string? problem, out bool repaired) =>
        Element(bytes, Usual, out problem, out repaired);

    /// <summary>
    /// The same for what came over the wire and back: of the wire's depth, and no key stands in an object twice.
    /// </summary>
    public static JsonElement? Strict(ReadOnlySpan<byte> bytes, out string? problem) =>
        Element(bytes, OfTheWire, out problem, out _);

    /// <summary>A value of a known shape, or null with the reason. <c>null</c> in the JSON is a reason too.</summary>
    public static T? Read<T>(ReadOnlySpan<byte> bytes, JsonTypeInfo<T> shape, out string? problem)
        where T : class
    {
        var json = OutsideText.Json(bytes, out _);
        try
        {
            var value = JsonSerializer.Deserialize(json, shape);
            problem = value is null ? "it is null" : null;
            return value;
        }
        catch (Exception fault) when (IsOfContent(fault))
        {
            problem = Explain(fault);
            return null;
        }
    }

    /// <summary>The same for a caller who does not need the reason.</summary>
    public static T? Read<T>(ReadOnlySpan<byte> bytes, JsonTypeInfo<T> shape)
        where T : class => Read(bytes, shape, out _);

    /// <summary>The same for a text, such as a column of the store.</summary>
    public static T? Read<T>(string text, JsonTypeInfo<T> shape, out string? problem)
        where T : class => Read(Encoding.UTF8.GetBytes(text), shape, out problem);

    /// <summary>
    /// A tree that can be changed, with comments and trailing commas as people write them; no key stands in an object
    /// twice.
    /// </summary>
    /// <param name="bytes">What was read.</param>
    /// <param name="maxDepth">Deepest nesting.</param>
    /// <param name="problem">Why there is no tree; null for a tree that is <c>null</c>.</param>
    /// <param name="repaired">True where U+FFFD stands in it for something that was no text.</param>
    public static JsonNode? Tree(
        ReadOnlySpan<byte> bytes, int maxDepth, out JsonProblem? problem, out bool repaired)
    {
        var json = OutsideText.Json(bytes, out repaired);
        var options = new JsonDocumentOptions
        {
            CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true,
            MaxDepth = maxDepth, AllowDuplicateProperties = false,
        };
        try
        {
            problem = null;
            return JsonNode.Parse(json, documentOptions: options);
        }
        catch (Exception fault) when (IsOfContent(fault))
        {
            var line = (fault as JsonException)?.LineNumber + 1;
            problem = new JsonProblem(Explain(fault), line, IsDuplicate(bytes, options));
            return null;
        }
    }

    /// <summary>Whether an exception of the framework's JSON readers is about what they read.</summary>
    internal static bool IsOfContent(Exception fault) =>
        fault is JsonException or InvalidOperationException or NotSupportedException
            or ArgumentException or FormatException or OverflowException;

    private static JsonElement? Element(
        ReadOnlySpan<byte> bytes, JsonDocumentOptions options, out string? problem, out bool repaired)
    {
        var json = OutsideText.Json(bytes, out repaired);
        try
        {
            problem = HasTooManyParts(json, options.MaxDepth) ? $"it has more than {MostParts} parts" : null;
            return problem is null ? JsonElement.Parse(json, options) : null;
        }
        catch (Exception fault) when (IsOfContent(fault))
        {
            problem = Explain(fault);
            return null;
        }
    }

    private static bool IsDuplicate(ReadOnlySpan<byte> bytes, JsonDocumentOptions options) =>
        Element(bytes, options with { AllowDuplicateProperties = true }, out _, out _) is not null;

    // Each part takes more memory than a comma and a digit; what is small cannot take much.
    private static bool HasTooManyParts(ReadOnlySpan<byte> json, int maxDepth)
    {
        if (json.Length <= MostParts)
        {
            return false;
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = maxDepth });
        var parts = 0;
        while (parts <= MostParts && reader.Read())
        {
            parts++;
        }

        return parts > MostParts;
    }

    // The framework's sentence without its advice to programmers; at most one character of the content stands in it.
    private static string Explain(Exception fault)
    {
        var words = fault.Message;
        foreach (var rest in new[] { " Change the reader options", " LineNumber: ", " Path: " })
        {
            var end = words.IndexOf(rest, StringComparison.Ordinal);
            words = end < 0 ? words : words[..end];
        }

        var place = fault is JsonException { LineNumber: { } line, BytePositionInLine: { } column }
            ? $" (line {line + 1}, byte {column + 1})" : "";
        return Printable.Cut(words, LongestProblem) + place;
    }
}

/// <summary>Why there is no tree.</summary>
/// <param name="Words">What is wrong, one line.</param>
/// <param name="Line">The line, counted from 1, where it is known.</param>
/// <param name="IsDuplicate">Nothing else is wrong than a key that stands in an object twice.</param>
public sealed record JsonProblem(string Words, long? Line, bool IsDuplicate);
