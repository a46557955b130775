using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>What one look at a member found.</summary>
internal abstract record MemberLook
{
    private MemberLook()
    {
    }

    /// <param name="Process">The process that it is, where there is one: kinds process and tmux.</param>
    /// <param name="Pid">Its main process, for people.</param>
    /// <param name="Screen">A fingerprint of what its pane shows, where that is watched.</param>
    /// <param name="Waits">What it shows means that it waits for somebody.</param>
    public sealed record Alive(ProcessIdentity? Process = null, int? Pid = null, string? Screen = null, bool Waits = false) : MemberLook;

    public sealed record Dead(string Why) : MemberLook;

    /// <summary>Nobody can tell just now; nothing is done on such a word.</summary>
    public sealed record Unknown(string Why) : MemberLook;
}

/// <summary>One kind of member: how it is looked at and started. Every call is bounded in time.</summary>
internal interface IMemberKind
{
    string Kind { get; }

    Task<MemberLook> LookAsync(MemberOptions member, MemberRecord kept, CancellationToken token);

    /// <summary>Ends what is left of the last life. After this none of it runs, so that a start makes the only copy.</summary>
    /// <exception cref="MemberFaultException">Something does not end.</exception>
    Task ClearAsync(MemberOptions member, MemberRecord kept, CancellationToken token);

    /// <summary>Begins a life. The record with its nonce is on disk by now.</summary>
    /// <exception cref="MemberFaultException">Nothing was started.</exception>
    Task<ProcessIdentity?> StartAsync(MemberOptions member, MemberRecord kept, IReadOnlyList<string> command, CancellationToken token);
}

/// <summary>A member could not be ended or started.</summary>
internal sealed class MemberFaultException(string message, string hint, Exception? inner = null) : SidecarException(message, hint, inner);
