using System.ComponentModel.DataAnnotations;
using FleetSidecar.Agents;
using FleetSidecar.Alerts;
using FleetSidecar.Gate;
using FleetSidecar.Identity;
using FleetSidecar.Link;
using FleetSidecar.Retention;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using FleetSidecar.Supervise;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Configuration;

/// <summary>The whole configuration: one section a feature, each described next to the feature.</summary>
internal sealed class SidecarConfig
{
    public AgentOptions Agent { get; set; } = new();

    public HubOptions Hub { get; set; } = new();

    /// <summary>Where everything that must survive a restart is kept. Absolute path; default <c>/var/lib/fleet-sidecar</c>.</summary>
    public string StateDirectory { get; set; } = "/var/lib/fleet-sidecar";

    public ControlOptions Control { get; set; } = new();

    public WakeOptions Wake { get; set; } = new();

    public WorkspaceOptions Workspace { get; set; } = new();

    public DeadlineOptions Deadlines { get; set; } = new();

    public SelfTestOptions SelfTest { get; set; } = new();

    public RetentionOptions Retention { get; set; } = new();

    public SafeModeOptions SafeMode { get; set; } = new();

    public GateOptions Gate { get; set; } = new();

    public IdentityOptions Identity { get; set; } = new();

    public SuperviseOptions Supervise { get; set; } = new();

    public AlertsOptions Alerts { get; set; } = new();

    public LogOptions Log { get; set; } = new();

    /// <summary>Where it was read from. No key of the file: it is neither read nor written.</summary>
    internal ConfigOrigin Origin { get; set; } = new("", []);
}

/// <summary>Where a configuration came from, so that it can be read again and compared.</summary>
/// <param name="Path">The file that was named.</param>
/// <param name="Overrides">What stood in the command line.</param>
/// <param name="Files">What was read; null where nothing could be.</param>
internal sealed record ConfigOrigin(string Path, IReadOnlyList<string> Overrides, ConfigFiles? Files = null)
{
    /// <exception cref="Ground.ConfigurationException">Anything at all is wrong.</exception>
    public SidecarConfig Load() => ConfigLoader.Load(Path, Overrides);
}

/// <summary>Section <c>agent</c>: who this sidecar works for.</summary>
internal sealed class AgentOptions
{
    /// <summary>The agent's id at the hub, 1 to 128 characters. Required.</summary>
    public string Id { get; set; } = "";

    /// <summary>Display name at the hub; default the id.</summary>
    public string? Name { get; set; }

    /// <summary>What the agent can do; the hub gives it only tasks that need a subset. Default none.</summary>
    public List<string> Capabilities { get; set; } = [];

    /// <summary>Runs at the same time, 1 to 64; default 1. More are refused as busy.</summary>
    public int MaxConcurrentRuns { get; set; } = 1;

    /// <summary>Where agents that know no command line leave <c>TASK.started</c> and <c>TASK.json</c>; default <c>results</c> in the state directory. Not used where agents run in units: there it is <c>results</c> in the run's own directory (FLEET_RESULTS_DIR).</summary>
    public string? ResultsDirectory { get; set; }

    /// <summary>What agents are started as: <c>systemd</c>, each run in a unit <c>fleet-agent@RUN.service</c> of its own; <c>process</c>, detached processes of the sidecar's user; <c>auto</c> (default): units where the sidecar was started by its packaged unit, else processes.</summary>
    [AllowedValues(AgentLauncherKind.Auto, AgentLauncherKind.Systemd, AgentLauncherKind.Process)]
    public string Launcher { get; set; } = AgentLauncherKind.Auto;
}

/// <summary>What agents are started as.</summary>
internal static class AgentLauncherKind
{
    public const string Auto = "auto";
    public const string Systemd = "systemd";
    public const string Process = "process";
}

/// <summary>Section <c>control</c>: the socket that the command line and the agents talk to.</summary>
internal sealed class ControlOptions
{
    /// <summary>Path of the unix socket, at most 107 bytes; default <c>control.sock</c> in the runtime or state directory.</summary>
    public string? Socket { get; set; }
}

/// <summary>Section <c>log</c>.</summary>
internal sealed class LogOptions
{
    /// <summary><c>Debug</c>, <c>Information</c>, <c>Warning</c> or <c>Error</c>; default <c>Information</c>.</summary>
    public string Level { get; set; } = "Information";

    /// <summary>Rolling file for support bundles (5 of 5 MiB); default <c>logs/sidecar.log</c> in the state directory; empty for none.</summary>
    public string? File { get; set; }
}
