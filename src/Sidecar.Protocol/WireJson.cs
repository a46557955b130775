using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FleetSidecar.Protocol;

/// <summary>The one place that says how frames look as JSON: snake_case, nulls left out, required enforced, type anywhere.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    AllowOutOfOrderMetadataProperties = true,
#if NET10_0_OR_GREATER // The AOT proxy, built for .NET 9 and for measuring only, lacks it.
    AllowDuplicateProperties = false,
#endif
    MaxDepth = WireLimits.MaxDepth)]
[JsonSerializable(typeof(HubMessage))]
[JsonSerializable(typeof(SidecarMessage))]
[JsonSerializable(typeof(TaskResult))]
[JsonSerializable(typeof(VerificationReport))]
public sealed partial class WireJson : JsonSerializerContext
{
    /// <summary>The context that both ends use. Text outside ASCII is written as it is: frames are UTF-8, never HTML.</summary>
    public static WireJson Wire => field ??= new(new JsonSerializerOptions(Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
