using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents;

/// <summary>The profile of a no-op task, one that the hub sends to see whether a machine works: our own program plays the agent.</summary>
/// <remarks>Everything but the model is real: store, launcher, recorder, socket, report, outbox. No model is asked, so it costs no tokens.</remarks>
internal static class NoopProfile
{
    // No configured profile can have this name: theirs are letters, digits and '-'.
    private const string Name = "builtin:noop";

    public static WakeProfile Profile { get; } = new() { Name = Name, Command = [Environment.ProcessPath ?? "fleet-sidecar", "agent-turn", "noop"] };

    /// <summary>Only where the hub says so, and where there is nothing to work on.</summary>
    public static bool Fits(HubMessage.TaskAssign task) => task.Repo is null && task.Metadata is { ValueKind: JsonValueKind.Object } metadata
        && metadata.TryGetProperty("noop", out var noop) && noop.ValueKind == JsonValueKind.True;

    /// <summary>Whether a name, as the store has it, is this profile's.</summary>
    public static bool Is(string name) => name == Name;
}
