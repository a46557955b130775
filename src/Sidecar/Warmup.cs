using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Protocol;

namespace FleetSidecar;

/// <summary>Has the runtime compile what the start is about to need, on the second core, while the first one reads the configuration.</summary>
/// <remarks>A third of a cold start is just-in-time compilation. Nothing here has an effect, and nothing waits for it; compiled ahead
/// of time it costs a fraction of a millisecond.</remarks>
internal static class Warmup
{
    public static void Start() => _ = Task.Run(() =>
    {
        ConfigRules.FirstProblem(new SidecarConfig { Wake = new WakeOptions { Profiles = [new WakeProfile()] } });
        Frame.Write(new SidecarMessage.Identify { AgentId = "x", Token = "x", Capabilities = ["x"] });
        Frame.TryRead("""{"type":"identified","agent_id":"x","protocol_version":2}"""u8, out HubMessage? _, out _);
    });
}
