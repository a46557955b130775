using FleetSidecar.Ground;

namespace FleetSidecar.Workspaces;

/// <summary>A git command that did not do what was asked. The message begins with the code.</summary>
internal sealed class GitException(string code, string message, string hint)
    : SidecarException($"{code}: {message}", hint)
{
    /// <summary>One of the codes of <see cref="GitFaults"/>.</summary>
    public string Code => code;

    /// <summary>The message without the code.</summary>
    public string Text => message;

    /// <summary>Time alone may cure it: the same command is worth another try.</summary>
    public bool IsPassing => IsOfTheWay || code is GitFaults.Interrupted or GitFaults.StaleBase or GitFaults.RefLocked;

    /// <summary>The origin did not answer, or not now: an outage, which may take minutes.</summary>
    public bool IsOfTheWay => code is GitFaults.HostNotFound or GitFaults.Unreachable or GitFaults.TimedOut or GitFaults.RateLimited;
}
