using System.Net;

namespace FleetHub;

/// <summary>How patient the hub is. Set with options of <c>fleet-hub serve</c>.</summary>
internal sealed record HubOptions
{
    /// <summary>How long an agent may take to accept an assignment, and after a new connection to give a sign of each run that it has;
    /// default 1 min. After that it counts as a failed attempt.</summary>
    public TimeSpan AcceptDeadline { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a task stays with an agent that is not heard of; default 2 min, at least the idle limit and a third more.
    /// Renewed by every sign of the run.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Pauses before the first, second and every further retry; default none, 30 s, 2 min.</summary>
    public IReadOnlyList<TimeSpan> RetryDelays { get; init; } = [TimeSpan.Zero, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2)];

    /// <summary>How often a task is tried again where it does not say; default 3.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>How long a connection may be silent; default 90 s, three heartbeats.</summary>
    public TimeSpan IdleLimit { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>How long a new connection may take to identify; default 10 s.</summary>
    public TimeSpan IdentifyLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Most connections at a time that have not identified; default 2,048. Each may hold 8 KiB of a first frame.</summary>
    public int MaxUnidentified { get; init; } = 2_048;

    /// <summary>The same for one address (IPv6: for a /64); default 256.</summary>
    public int MaxUnidentifiedPerAddress { get; init; } = 256;

    /// <summary>Proxies whose <c>X-Forwarded-Proto</c> and <c>X-Forwarded-Host</c> are believed; default none.</summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>Takes tasks whose repository is a directory of the machine that works on it; default false.</summary>
    public bool LocalRepositories { get; init; }

    /// <summary>How long an agent that turned work down is left alone; default 5 s.</summary>
    public TimeSpan RejectionPause { get; init; } = TimeSpan.FromSeconds(5);
}
