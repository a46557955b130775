using System.Collections.Frozen;
using System.Text.Json.Serialization.Metadata;

namespace FleetSidecar.Protocol;

/// <summary>The <c>type</c> words of each family, taken from the families themselves so that the lists cannot drift.</summary>
public static class WireKinds
{
    /// <summary>What a hub may send.</summary>
    public static IReadOnlySet<string> Hub { get; } = Words(WireJson.Wire.HubMessage);

    /// <summary>What a sidecar may send.</summary>
    public static IReadOnlySet<string> Sidecar { get; } = Words(WireJson.Wire.SidecarMessage);

    /// <summary>What a sidecar may send only to a hub that speaks version 2.</summary>
    public static IReadOnlySet<string> SidecarV2Only { get; } =
        new[] { "heartbeat", "task_rejected", "task_handoff", "log_chunk" }.ToFrozenSet();

    private static FrozenSet<string> Words(JsonTypeInfo family) =>
        family.PolymorphismOptions!.DerivedTypes.Select(kind => (string)kind.TypeDiscriminator!).ToFrozenSet();
}
