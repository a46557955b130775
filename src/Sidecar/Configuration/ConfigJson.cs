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
    WriteIndented = true)]
[JsonSerializable(typeof(SidecarConfig))]
internal sealed partial class ConfigJson : JsonSerializerContext;
