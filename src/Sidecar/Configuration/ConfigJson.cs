using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FleetSidecar.Configuration;

/// <summary>How the configuration looks as JSON: camelCase, comments and trailing commas allowed.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    PropertyNameCaseInsensitive = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    IgnoreReadOnlyProperties = true,
    RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    MaxDepth = ConfigSource.MaxDepth,
    Converters = [typeof(DurationConverter)],
    WriteIndented = true)]
[JsonSerializable(typeof(SidecarConfig))]
internal sealed partial class ConfigJson : JsonSerializerContext;

/// <summary>Durations as <c>hh:mm:ss</c>. The framework's own converter reads a bare number as days, which nobody means.</summary>
internal sealed class DurationConverter : JsonConverter<TimeSpan>
{
    private const int MostHours = 10_000;

    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString()!) is { } value ? value : throw new JsonException();

    /// <summary>Hours may be more than 23: people write a day as 24:00:00. Null where it is no duration.</summary>
    public static TimeSpan? TryParse(string text) =>
        !text.Contains(':', StringComparison.Ordinal) ? null
        : TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var value) ? value
        : text.Split(':', 2) is [var hours, var rest] && int.TryParse(hours, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= MostHours
            && TimeSpan.TryParseExact($"00:{rest}", "c", CultureInfo.InvariantCulture, out var minutes) ? minutes + TimeSpan.FromHours(count)
        : null;

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString("c", CultureInfo.InvariantCulture));
}
