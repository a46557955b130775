using System.ComponentModel.DataAnnotations;

namespace FleetSidecar.Agents;

/// <summary><c>wake.profiles[].openClaw</c>: how OpenClaw is reached.</summary>
internal sealed class OpenClawOptions
{
    /// <summary>The address of a gateway that listens where OpenClaw does by default.</summary>
    public const string UsualGateway = "ws://127.0.0.1:18789";

    /// <summary>Mode run: <c>gateway</c> (default), <c>agent</c> or <c>exec</c>; see <see cref="OpenClawVia"/>. Mode signal does not use it.</summary>
    [AllowedValues(OpenClawVia.Gateway, OpenClawVia.Agent, OpenClawVia.Exec)]
    public string Via { get; set; } = OpenClawVia.Gateway;

    /// <summary>Via gateway: where it listens, <c>ws://</c> or <c>wss://</c>; default <c>ws://127.0.0.1:18789</c>.</summary>
    public string Gateway { get; set; } = UsualGateway;

    /// <summary>Via gateway: absolute path of a file with the gateway's token alone; empty, the default, for a gateway without one. The agent's own user must be able to read it.</summary>
    public string TokenFile { get; set; } = "";

    /// <summary>Which of OpenClaw's agents, 1 to 64 letters, digits, <c>-</c> or <c>_</c>; default <c>main</c>.</summary>
    public string Agent { get; set; } = "main";
}

/// <summary>The ways to a whole turn of OpenClaw.</summary>
internal static class OpenClawVia
{
    /// <summary>The gateway's own protocol, spoken by <c>fleet-sidecar agent-turn</c>: accepted at once, then the terminal status.</summary>
    public const string Gateway = "gateway";

    /// <summary><c>openclaw agent</c>: the same over OpenClaw's command line, a second slower and 220 MB larger.</summary>
    public const string Agent = "agent";

    /// <summary><c>openclaw agent exec</c>: no gateway at all.</summary>
    public const string Exec = "exec";
}
