using FleetSidecar.Link;

namespace FleetSidecar.SelfTest;

/// <summary>Says when the environment names a proxy that the link to the hub does not use. Names alone: the values may
/// hold passwords.</summary>
internal static class ProxyCheck
{
    private const string Name = "proxy";
    private static readonly string[] Variables =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

    /// <summary>Null where there is nothing to say.</summary>
    /// <param name="options">The hub's.</param>
    /// <param name="isUp">The link is up, so whatever it lacks is no proxy.</param>
    public static CheckResult? Look(HubOptions options, bool isUp) =>
        Look(options, isUp, Environment.GetEnvironmentVariable);

    /// <summary>The same with the environment handed in.</summary>
    public static CheckResult? Look(HubOptions options, bool isUp, Func<string, string?> variable)
    {
        var named = Variables.Where(name => variable(name) is { Length: > 0 }).ToList();
        if (named.Count == 0 && options.Proxy is null)
        {
            return null;
        }

        if (named.Count == 0)
        {
            return new CheckResult(Name, CheckResult.Ok, $"the hub is reached through hub.proxy, {options.Proxy}");
        }

        var seen = $"the environment has {string.Join(", ", named)}, which the link to the hub does not use";
        if (options.Proxy is { } own)
        {
            return new CheckResult(Name, CheckResult.Ok, $"{seen}: hub.proxy is {own}");
        }

        return isUp
            ? new CheckResult(Name, CheckResult.Ok, $"{seen}: it connects directly")
            : new CheckResult(
                Name, CheckResult.Warning, $"{seen}: it connects directly",
                "if the hub is behind that proxy, name the proxy in hub.proxy (with a wss:// address of the hub)");
    }
}
