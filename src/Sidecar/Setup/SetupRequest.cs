namespace FleetSidecar.Setup;

/// <summary>What an operator asked <c>setup</c> for, checked.</summary>
internal sealed record SetupRequest
{
    /// <summary>Of the hub's interface: http or https.</summary>
    public required Uri Hub { get; init; }

    public required string AgentId { get; init; }

    /// <summary>Absolute path of the configuration file; the token lies beside it.</summary>
    public required string ConfigFile { get; init; }

    /// <summary>The enrolment key; null where none was given.</summary>
    public string? Key { get; init; }

    /// <summary>A token that was made already; null where one is to be fetched.</summary>
    public string? Token { get; init; }

    public IReadOnlyList<string> Capabilities { get; init; } = [];

    public IReadOnlyList<string> AgentCommand { get; init; } = [];

    public string? StateDirectory { get; init; }

    /// <summary>Proxy on the way to the hub, for setup itself and for the daemon; null for none.</summary>
    public string? Proxy { get; init; }

    /// <summary>Absolute path of the file with the proxy's credentials; null for none.</summary>
    public string? ProxyCredentialsFile { get; init; }

    /// <summary>The unit that runs the daemon; null for the one that goes with the file.</summary>
    public string? Unit { get; init; }

    /// <summary>Change a configuration that is there.</summary>
    public bool Force { get; init; }

    /// <summary>Wait for the daemon and prove the way with a task.</summary>
    public bool Test { get; init; } = true;

    /// <summary>Prove it with the configured agent in place of the sidecar's own program.</summary>
    public bool WakeAgent { get; init; }

    public TimeSpan Wait { get; init; }

    public string TokenFile => Path.Combine(Path.GetDirectoryName(ConfigFile)!, "hub-token");

    /// <summary>Where the daemon connects: beside the interface.</summary>
    public string SocketUrl => new UriBuilder(Below("ws")) { Scheme = Hub.Scheme == Uri.UriSchemeHttps ? "wss" : "ws", Port = Hub.IsDefaultPort ? -1 : Hub.Port }.Uri.ToString();

    /// <summary>A path of the hub, also where a proxy serves it below a path of its own.</summary>
    public Uri Below(string path) => new(new Uri(Hub.AbsoluteUri.TrimEnd('/') + "/"), path);
}
