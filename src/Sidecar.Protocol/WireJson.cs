using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FleetSidecar.Protocol;

/// <summary>The one place that says how frames look as JSON: snake_case, nulls left out, required enforced.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false,
    MaxDepth = WireLimits.MaxDepth)]
[JsonSerializable(typeof(HubMessage.Identified))]
[JsonSerializable(typeof(HubMessage.Pong))]
[JsonSerializable(typeof(HubMessage.TaskAssign))]
[JsonSerializable(typeof(HubMessage.TaskAck))]
[JsonSerializable(typeof(HubMessage.TaskContinue))]
[JsonSerializable(typeof(HubMessage.TaskReassign))]
[JsonSerializable(typeof(HubMessage.TaskCancelled))]
[JsonSerializable(typeof(HubMessage.StateReportAck))]
[JsonSerializable(typeof(HubMessage.RestartSidecar))]
[JsonSerializable(typeof(HubMessage.RateLimited))]
[JsonSerializable(typeof(HubMessage.RateLimitWarning))]
[JsonSerializable(typeof(HubMessage.Error))]
[JsonSerializable(typeof(HubMessage.Drain))]
[JsonSerializable(typeof(HubMessage.Resume))]
[JsonSerializable(typeof(HubMessage.LogRequest))]
[JsonSerializable(typeof(SidecarMessage.Identify))]
[JsonSerializable(typeof(SidecarMessage.Ping))]
[JsonSerializable(typeof(SidecarMessage.TaskAccepted))]
[JsonSerializable(typeof(SidecarMessage.TaskProgress))]
[JsonSerializable(typeof(SidecarMessage.TaskComplete))]
[JsonSerializable(typeof(SidecarMessage.TaskFailed))]
[JsonSerializable(typeof(SidecarMessage.TaskRecovering))]
[JsonSerializable(typeof(SidecarMessage.StateReport))]
[JsonSerializable(typeof(SidecarMessage.WakeResult))]
[JsonSerializable(typeof(SidecarMessage.ResourceReport))]
[JsonSerializable(typeof(SidecarMessage.Heartbeat))]
[JsonSerializable(typeof(SidecarMessage.TaskRejected))]
[JsonSerializable(typeof(SidecarMessage.TaskHandoff))]
[JsonSerializable(typeof(SidecarMessage.LogChunk))]
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
