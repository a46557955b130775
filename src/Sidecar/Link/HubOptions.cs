namespace FleetSidecar.Link;

/// <summary>Section <c>hub</c>: where the hub is and how patient the link is with it.</summary>
internal sealed class HubOptions
{
    /// <summary>Address of the hub's socket, <c>ws://</c> or <c>wss://</c>. Required.</summary>
    public string Url { get; set; } = "";

    /// <summary>File that holds the token alone; relative names are looked up in <c>$CREDENTIALS_DIRECTORY</c>. Required. Read again at every dial.</summary>
    public string TokenFile { get; set; } = "";

    /// <summary>Proxy on the way to the hub, <c>http://HOST:PORT</c> or <c>https://HOST:PORT</c>; default none. Asked for a tunnel (CONNECT) and
    /// nothing else, so <see cref="Url"/> must be <c>wss://</c>. Proxies named by the environment are never used for the hub.</summary>
    public string? Proxy { get; set; }

    /// <summary>File with <c>USER:PASSWORD</c> for <see cref="Proxy"/>; relative names are looked up in <c>$CREDENTIALS_DIRECTORY</c>. Default none. Read again at every dial.</summary>
    public string? ProxyCredentialsFile { get; set; }

    /// <summary>Time between heartbeats, 1 s to 10 min; default 30 s. Up to a tenth more is added from the agent id, so that a fleet spreads. A version 1 hub is pinged at least every 25 s.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an answer to a heartbeat may take before the link counts as dead, 100 ms to 2 min; default 10 s.</summary>
    public TimeSpan PongTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long dialling and identifying may take together, 100 ms to 2 min; default 15 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Pace of new attempts after the hub refused the token, 100 ms to 1 h; default 1 min.</summary>
    public TimeSpan RefusedInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a link must have been up before the back-off starts over, 0 to 1 h; default 10 s.</summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Highest protocol version offered, 1 or 2; default 2.</summary>
    public int ProtocolVersion { get; set; } = 2;
}
