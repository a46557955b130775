using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Supervise;

/// <summary>One member while the daemon runs. Only the loop touches it; <see cref="Ring"/> alone may come from elsewhere.</summary>
internal sealed class Member(MemberOptions options, IMemberKind kind, MemberRecord? kept)
{
    private int _rung;

    public MemberOptions Options => options;

    public IMemberKind Kind => kind;

    public MemberState State { get; set; } = new() { Kept = kept ?? new MemberRecord() };

    /// <summary>The record as it is on disk.</summary>
    public string? Written { get; set; }

    /// <summary>When it was looked at last, and how long after that it is due again.</summary>
    public (long At, TimeSpan After) Looked { get; set; }

    /// <summary>The process whose end is waited for.</summary>
    public ProcessIdentity? Watched { get; set; }

    /// <summary>Incidents that the store has not taken yet, by code; null takes one back. At most one a code.</summary>
    public Dictionary<string, Incident?> Untold { get; } = [];

    /// <summary>Makes it due now.</summary>
    public void Ring() => Volatile.Write(ref _rung, 1);

    /// <summary>How long until it is due; zero or less: now.</summary>
    public TimeSpan DueIn(TimeProvider time) => Volatile.Read(ref _rung) == 1 ? TimeSpan.Zero : Looked.After - time.GetElapsedTime(Looked.At);

    /// <summary>Its turn begins; what rings from now on counts for the next one.</summary>
    public void Begin() => Volatile.Write(ref _rung, 0);
}
