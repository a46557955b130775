using System.Net;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.SelfTest;

/// <summary>Agents in units can look names up: on some cloud machines the resolver has the address at which credentials are handed out, which units do not reach.</summary>
internal sealed class ResolverCheck(SidecarConfig config) : ICheck
{
    private const string File = "/etc/resolv.conf";
    private const int LargestFile = 64 * 1024;

    // As IPAddressDeny= of packaging/systemd/fleet-agent@.service.
    private static readonly HashSet<IPAddress> Denied =
        [.. ((string[])["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", "100.100.100.200", "192.0.0.192", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "168.63.129.16"]).Select(IPAddress.Parse)];

    public string Name => "resolver";

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token) => Task.FromResult<IReadOnlyList<CheckResult>>(
        config.AgentsInUnits && OutsideFile.Read(File, LargestFile, followLink: true) is { } bytes && Unreachable(OutsideText.Decode(bytes)) is { } address
            ? [new CheckResult(Name, CheckResult.Warning, $"agents' units do not reach {address}, the only resolver of {File}", $"install a resolver on this machine (systemd-resolved), or put IPAddressAllow={address} into /etc/systemd/system/fleet-agent-@.service.d/resolver.conf, below [Service]")]
            : []);

    private static bool IsDenied(IPAddress address) => Denied.Contains(address) || address.IsIPv6LinkLocal || address.GetAddressBytes() is [169, 254, _, _];

    /// <summary>The first resolver that a file names, where units reach none of those it names.</summary>
    public static IPAddress? Unreachable(string text)
    {
        var all = text.Split('\n').Select(line => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words is ["nameserver", _, ..])
            .Select(words => IPAddress.TryParse(words[1], out var address) ? address : null).OfType<IPAddress>().ToList();
        return all.Count > 0 && all.All(IsDenied) ? all[0] : null;
    }
}
