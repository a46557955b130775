using System.ComponentModel.DataAnnotations;

namespace FleetSidecar.Agents;

/// <summary>Section <c>wake</c>: how the agent is woken.</summary>
internal sealed class WakeOptions
{
    /// <summary>The ways to wake the agent, best first: when a provider fails (<c>auth</c>, <c>rate_limited</c>, <c>provider_down</c>) the next one is used. At least one.</summary>
    public List<WakeProfile> Profiles { get; set; } = [];
}

/// <summary>One way to wake the agent.</summary>
internal sealed class WakeProfile
{
    /// <summary>Name in reports; letters, digits and <c>-</c>. Required, unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>Which kind of agent: <c>command</c>, the default, fits any program; <c>claude-code</c>, <c>codex</c>, <c>gemini</c>, <c>opencode</c> and <c>openclaw</c> know that program's own record of a turn. See docs/agents.md.</summary>
    public string Adapter { get; set; } = "command";

    /// <summary><c>run</c> (default): the command is the agent's whole turn. <c>signal</c>: the command returns at once and the agent works elsewhere.</summary>
    [AllowedValues(WakeMode.Run, WakeMode.Signal)]
    public string Mode { get; set; } = WakeMode.Run;

    /// <summary>Program (absolute path) and arguments; where the adapter knows the program, further arguments of yours, which go right after the program or its verb. <c>{taskFile}</c> <c>{taskId}</c> <c>{workspace}</c> <c>{runDir}</c> <c>{nonce}</c> are replaced inside single elements. Required.</summary>
    public List<string> Command { get; set; } = [];

    /// <summary>What a good end needs. <c>report</c> (default): the agent said so (<c>fleet-sidecar task complete</c> or a result file). <c>exitCode</c>: exit code 0 is enough; for programs that cannot report.</summary>
    [AllowedValues(CompletionEvidence.Report, CompletionEvidence.ExitCode)]
    public string Completion { get; set; } = CompletionEvidence.Report;

    /// <summary>How often a wake command that could not be started, or a signal that failed, is tried again, 0 to 10; default 2.</summary>
    public int Retries { get; set; } = 2;

    /// <summary>Pause before the first retry, doubled for each further one, 0 to 10 min; default 5 s.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Run mode: how long the process must live to count as launched, 0 to 5 min; default 5 s.</summary>
    public TimeSpan AliveFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How far a wake must be proved: <c>launched</c>, <c>received</c>, <c>active</c> or <c>progressing</c>, at most what the adapter can prove. Default: run mode <c>launched</c> (and alive for <c>aliveFor</c>), signal mode <c>received</c>.</summary>
    public string? Proof { get; set; }

    /// <summary>Most bytes of output that one wake keeps on disk, 1 MiB to 1 TiB; default 256 MiB. Three quarters are for standard output, one for standard error; of a stream that is longer the middle is dropped, a quarter of its share is kept of the beginning and the rest of the end. What the agent prints in half a second may come on top while it works.</summary>
    public long MaxOutputBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>What of the network the agent, its verification steps and the looks at its program reach: <c>all</c> (default), <c>none</c>, or what a <c>list</c> of root's names. Mode run, with agents in units and users for them; see docs/systemd.md. The sidecar's own socket is a file and always there.</summary>
    [AllowedValues(NetworkPolicy.All, NetworkPolicy.None, NetworkPolicy.List)]
    public string Network { get; set; } = NetworkPolicy.All;

    /// <summary>Variables given to the agent besides the fixed ones.</summary>
    public Dictionary<string, string> Environment { get; set; } = [];

    /// <summary>Names of the daemon's own variables that the agent may see, besides PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_ALL, TZ and TMPDIR.</summary>
    public List<string> PassEnvironment { get; set; } = [];

    /// <summary>Adapter <c>openclaw</c> only: how OpenClaw is reached. Default: by the gateway on this machine.</summary>
    public OpenClawOptions? OpenClaw { get; set; }

    /// <summary>Mode run: the command only asks a program that is there already.</summary>
    public bool WorksElsewhere => Adapter == "openclaw" && (OpenClaw ?? new OpenClawOptions()).Via != OpenClawVia.Exec;

    /// <summary>The same with the variables of another profile, or with none: their values may be secret, and nobody else writes them down.</summary>
    public WakeProfile WithVariablesOf(WakeProfile? other)
    {
        var copy = (WakeProfile)MemberwiseClone();
        (copy.Environment, copy.PassEnvironment) = (other?.Environment ?? [], other?.PassEnvironment ?? []);
        return copy;
    }
}

// Words, not enums: the converter that reads an enum by its name costs a twentieth of a start.

/// <summary>What a wake command is.</summary>
internal static class WakeMode
{
    public const string Run = "run";
    public const string Signal = "signal";
}

/// <summary>What of the network an agent reaches.</summary>
internal static class NetworkPolicy
{
    /// <summary>Everything but the addresses at which cloud machines hand out credentials.</summary>
    public const string All = "all";

    /// <summary>Nothing: a network of its own, with a loopback of its own.</summary>
    public const string None = "none";

    /// <summary>The machine's resolver, and the addresses in root's drop-in of the unit.</summary>
    public const string List = "list";
}

/// <summary>What a good end needs.</summary>
internal static class CompletionEvidence
{
    public const string Report = "report";
    public const string ExitCode = "exitCode";
}
