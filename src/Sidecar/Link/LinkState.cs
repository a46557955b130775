namespace FleetSidecar.Link;

/// <summary>Where the link to the hub is.</summary>
internal enum LinkState
{
    /// <summary>No connection; the next attempt is waiting for its time.</summary>
    Down,

    /// <summary>Dialling, or waiting for the answer to <c>identify</c>.</summary>
    Dialing,

    /// <summary>Identified; frames go both ways.</summary>
    Up,

    /// <summary>The hub does not accept our token or our identity; tried again at a slow pace with the token file read anew.</summary>
    Refused,

    /// <summary>The hub's address answered with another address, which is not followed; tried again at the pace of <see cref="Refused"/>.</summary>
    Redirected,
}

/// <summary>What status and log show of the link. Immutable.</summary>
internal sealed record LinkView(LinkState State, string Detail, int ProtocolVersion, DateTimeOffset Since, int Attempts, TimeSpan? ClockSkew = null);

/// <summary>How a connection, or the attempt at one, ended: a closed family.</summary>
internal abstract record LinkEnd
{
    private LinkEnd()
    {
    }

    /// <summary>The network or the hub is not there, or went away.</summary>
    public sealed record Lost(string Reason, TimeSpan? RetryAfter = null) : LinkEnd;

    /// <summary>The hub is there and says no to who we are.</summary>
    public sealed record Refused(string Reason, bool Superseded = false, TimeSpan? RetryAfter = null) : LinkEnd;

    /// <summary>What is at the hub's address points elsewhere. Our token was not sent, neither here nor there.</summary>
    public sealed record Redirected(string Reason) : LinkEnd;
}
