namespace FleetSidecar.Protocol;

/// <summary>The words that <c>task_failed.code</c> may carry: what kind of failure it was, decided once, where it was seen.</summary>
public static class FailureClass
{
    /// <summary>The sidecar or the agent is set up wrongly; retrying changes nothing.</summary>
    public const string Config = "config";

    /// <summary>A credential was refused.</summary>
    public const string Auth = "auth";

    /// <summary>The model provider asked to slow down.</summary>
    public const string RateLimited = "rate_limited";

    /// <summary>The model provider could not be reached or answered with a server error.</summary>
    public const string ProviderDown = "provider_down";

    /// <summary>The agent ran out of context.</summary>
    public const string ContextExhausted = "context_exhausted";

    /// <summary>The kernel ended the agent for its use of memory.</summary>
    public const string OutOfMemory = "out_of_memory";

    /// <summary>A named deadline passed; the name is in <c>deadline</c>.</summary>
    public const string Timeout = "timeout";

    /// <summary>The agent ended badly or said that it failed.</summary>
    public const string AgentError = "agent_error";

    /// <summary>The agent process is gone and nothing recorded how it ended.</summary>
    public const string AgentVanished = "agent_vanished";

    /// <summary>The wake could not be proved before its deadline.</summary>
    public const string WakeUnverified = "wake_unverified";

    /// <summary>The workspace could not be prepared or pushed.</summary>
    public const string Workspace = "workspace";

    /// <summary>The work was checked and did not hold.</summary>
    public const string Verification = "verification";

    /// <summary>A rule stopped the task before any model was woken.</summary>
    public const string Gate = "gate";

    /// <summary>The sidecar itself broke while it worked on the run; the reason holds the fault, and a retry may succeed.</summary>
    public const string InternalError = "internal_error";

    /// <summary>Nothing that was seen says which of the others it is.</summary>
    public const string Unknown = "unknown";

    /// <summary>All of them, in the order above.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        Config, Auth, RateLimited, ProviderDown, ContextExhausted, OutOfMemory, Timeout, AgentError, AgentVanished,
        WakeUnverified, Workspace, Verification, Gate, InternalError, Unknown,
    ];
}
