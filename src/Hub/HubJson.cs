using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using FleetHub.Api;
using FleetHub.Tasks;
using FleetSidecar.Protocol;

namespace FleetHub;

/// <summary>How everything but the socket looks as JSON: AgentCom's names, snake_case, nulls left out.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, AllowDuplicateProperties = false, MaxDepth = OutsideJson.MaxDepth)]
[JsonSerializable(typeof(TaskSpec))]
[JsonSerializable(typeof(Complexity))]
[JsonSerializable(typeof(NewTask))]
[JsonSerializable(typeof(TaskCreated))]
[JsonSerializable(typeof(TaskView))]
[JsonSerializable(typeof(TaskList))]
[JsonSerializable(typeof(AgentView))]
[JsonSerializable(typeof(AgentList))]
[JsonSerializable(typeof(AlertList))]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(Health))]
[JsonSerializable(typeof(Metrics))]
[JsonSerializable(typeof(DashboardView))]
[JsonSerializable(typeof(Registration))]
[JsonSerializable(typeof(Registered))]
[JsonSerializable(typeof(ProofRequest))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(Dictionary<string, long>))]
internal sealed partial class HubJson : JsonSerializerContext
{
    /// <summary>Text outside ASCII is written as it is; answers are JSON, never HTML.</summary>
    public static HubJson Compact => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>For what is sent to the API: as deep as a frame may be, so that a task which is taken can be assigned and listed.</summary>
    public static HubJson Body => field ??= new(new JsonSerializerOptions(Default.Options) { MaxDepth = WireLimits.MaxDepth });

    public static HubJson Pretty => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true });
}
