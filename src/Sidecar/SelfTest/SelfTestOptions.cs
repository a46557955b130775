namespace FleetSidecar.SelfTest;

/// <summary>Section <c>selfTest</c>: the checks behind "available".</summary>
internal sealed class SelfTestOptions
{
    /// <summary>Time between self-tests, 1 s to 1 day; default 5 min. Up to a tenth more is added by chance.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Least free space where the state lives, bytes; default 2 GiB. Below it no work is accepted; near it, workspaces whose work is on the origin are removed.</summary>
    public long DiskFloorBytes { get; set; } = 2L * 1024 * 1024 * 1024;

    /// <summary>Fewest free inodes there; default 10 000. File systems that do not count them pass.</summary>
    public long DiskFloorInodes { get; set; } = 10_000;

    /// <summary>Most difference between our clock and the hub's, 1 s to 1 day; default 5 min. More is a failure, a tenth of it a warning.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Credentials whose expiry can be read. Default none.</summary>
    public List<CredentialOptions> Credentials { get; set; } = [];
}

/// <summary>A credential file in JSON that says when it ends.</summary>
internal sealed class CredentialOptions
{
    /// <summary>Absolute path of the file. Required.</summary>
    public string File { get; set; } = "";

    /// <summary>Where in it the time stands, as keys with dots: <c>claudeAiOauth.expiresAt</c>. A number is unix seconds or milliseconds, a text a date. Required.</summary>
    public string ExpiresAt { get; set; } = "";
}
