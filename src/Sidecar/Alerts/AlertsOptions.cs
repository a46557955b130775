namespace FleetSidecar.Alerts;

/// <summary>Section <c>alerts</c>: whom this machine tells when the hub cannot.</summary>
internal sealed class AlertsOptions
{
    /// <summary>Each is told; one that fails stops no other. Default none.</summary>
    public List<AlertHook> Hooks { get; set; } = [];

    /// <summary>Longest time for one hook, 1 s to 1 min; default 10 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>One way to be told: a command or an address.</summary>
internal sealed class AlertHook
{
    /// <summary>Program (absolute path) and arguments; the alert is JSON on its standard input. Default none.</summary>
    public List<string> Command { get; set; } = [];

    /// <summary>An <c>http://</c> or <c>https://</c> address; the alert is the JSON body of a POST. Default none.</summary>
    public string? Url { get; set; }

    /// <summary>With <c>url</c>: absolute path of a file with a bearer token alone. Default none.</summary>
    public string? TokenFile { get; set; }
}
