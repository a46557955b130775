using System.Collections.Frozen;
using System.Text.Json.Serialization.Metadata;

namespace FleetSidecar.Protocol;

/// <summary>The <c>type</c> words of each family, and the record that each stands for.</summary>
/// <remarks>Not the serializer's own polymorphism: that one sets up every kind before it reads the first, which was a fifth of the
/// time from a sidecar's start until the hub knew it.</remarks>
public static class WireKinds
{
    private static readonly Dictionary<string, Type> HubWords = new()
    {
        ["identified"] = typeof(HubMessage.Identified),
        ["pong"] = typeof(HubMessage.Pong),
        ["task_assign"] = typeof(HubMessage.TaskAssign),
        ["task_ack"] = typeof(HubMessage.TaskAck),
        ["task_continue"] = typeof(HubMessage.TaskContinue),
        ["task_reassign"] = typeof(HubMessage.TaskReassign),
        ["task_cancelled"] = typeof(HubMessage.TaskCancelled),
        ["state_report_ack"] = typeof(HubMessage.StateReportAck),
        ["restart_sidecar"] = typeof(HubMessage.RestartSidecar),
        ["rate_limited"] = typeof(HubMessage.RateLimited),
        ["rate_limit_warning"] = typeof(HubMessage.RateLimitWarning),
        ["error"] = typeof(HubMessage.Error),
        ["drain"] = typeof(HubMessage.Drain),
        ["resume"] = typeof(HubMessage.Resume),
        ["log_request"] = typeof(HubMessage.LogRequest),
    };

    private static readonly Dictionary<string, Type> SidecarWords = new()
    {
        ["identify"] = typeof(SidecarMessage.Identify),
        ["ping"] = typeof(SidecarMessage.Ping),
        ["task_accepted"] = typeof(SidecarMessage.TaskAccepted),
        ["task_progress"] = typeof(SidecarMessage.TaskProgress),
        ["task_complete"] = typeof(SidecarMessage.TaskComplete),
        ["task_failed"] = typeof(SidecarMessage.TaskFailed),
        ["task_recovering"] = typeof(SidecarMessage.TaskRecovering),
        ["state_report"] = typeof(SidecarMessage.StateReport),
        ["wake_result"] = typeof(SidecarMessage.WakeResult),
        ["resource_report"] = typeof(SidecarMessage.ResourceReport),
        ["heartbeat"] = typeof(SidecarMessage.Heartbeat),
        ["task_rejected"] = typeof(SidecarMessage.TaskRejected),
        ["task_handoff"] = typeof(SidecarMessage.TaskHandoff),
        ["log_chunk"] = typeof(SidecarMessage.LogChunk),
    };

    /// <summary>What a hub may send.</summary>
    public static IReadOnlyCollection<string> Hub => HubWords.Keys;

    /// <summary>What a sidecar may send.</summary>
    public static IReadOnlyCollection<string> Sidecar => SidecarWords.Keys;

    /// <summary>What a sidecar may send only to a hub that speaks version 2.</summary>
    public static IReadOnlySet<string> SidecarV2Only { get; } =
        new[] { "heartbeat", "task_rejected", "task_handoff", "log_chunk" }.ToFrozenSet();

    internal static bool IsKnown<TFamily>(string word) => Words<TFamily>().ContainsKey(word);

    internal static JsonTypeInfo Shape<TFamily>(string word) => Shape(Words<TFamily>()[word]);

    internal static JsonTypeInfo Shape(Type kind) => WireJson.Wire.GetTypeInfo(kind)!;

    internal static string Word<TFamily>(Type kind) => Words<TFamily>().First(pair => pair.Value == kind).Key;

    private static Dictionary<string, Type> Words<TFamily>() => typeof(TFamily) == typeof(HubMessage) ? HubWords : SidecarWords;
}
