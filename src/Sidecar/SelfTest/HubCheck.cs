using FleetSidecar.Configuration;
using FleetSidecar.Link;

namespace FleetSidecar.SelfTest;

/// <summary>The hub took us for who we are, and its clock agrees with ours. Never keeps the machine from being available by itself: without a link nobody asks.</summary>
internal sealed class HubCheck(SidecarConfig config, LinkLoop link) : ICheck
{
    public string Name => "hub";

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token)
    {
        var view = link.View;
        var hub = view.State == LinkState.Up
            ? new CheckResult(Name, CheckResult.Ok, $"{config.Hub.Url}: {view.Detail}")
            : new CheckResult(Name, CheckResult.Failed, $"{config.Hub.Url}: {view.State.ToString().ToLowerInvariant()}, {view.Detail}",
                Hint(view.State), Blocks: false);
        IEnumerable<CheckResult?> all = [hub, view.ClockSkew is { } skew ? Clock(skew) : null, ProxyCheck.Look(config.Hub, isUp: view.State == LinkState.Up)];
        return Task.FromResult<IReadOnlyList<CheckResult>>([.. all.OfType<CheckResult>()]);
    }

    private static string Hint(LinkState state) => state switch
    {
        LinkState.Refused => "write the agent's token into hub.tokenFile",
        LinkState.Redirected => "set hub.url to the address of the hub itself",
        _ => "is the hub running, and is hub.url right?",
    };

    private CheckResult Clock(TimeSpan skew)
    {
        var (size, limit) = (skew.Duration(), config.SelfTest.ClockSkew);
        var seen = $"our clock is {size.TotalSeconds:0.0} s {(skew < TimeSpan.Zero ? "behind" : "ahead of")} the hub's";
        return size > limit ? new CheckResult("clock", CheckResult.Failed, $"{seen}; the limit is {limit}", "start a time service (systemd-timesyncd or chrony) here and there")
            : size > limit / 10 ? new CheckResult("clock", CheckResult.Warning, seen, "start a time service here and there")
            : new CheckResult("clock", CheckResult.Ok, seen);
    }
}
