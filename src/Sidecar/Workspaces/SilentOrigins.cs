using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Origins that could not be asked a moment ago: whoever needs one of them next is not kept waiting for the same silence.</summary>
/// <remarks>By host, because a host that accepts and says nothing does so for each of its repositories. Owned by one loop.</remarks>
internal sealed class SilentOrigins
{
    private readonly Dictionary<string, (GitException Fault, TimeSpan Pause, long NotBefore)> _silent = [];

    /// <summary>Why an origin is not asked now, and for how much longer; null where it is to be asked.</summary>
    /// <param name="address">The address of the repository.</param>
    /// <param name="now">Unix milliseconds.</param>
    public (GitException Fault, TimeSpan Left)? Of(string address, long now) =>
        _silent.TryGetValue(HostOf(address), out var one) && one.NotBefore - now is > 0 and var left && left <= one.Pause.TotalMilliseconds // A clock that was set back prolongs no pause.
            ? (one.Fault, TimeSpan.FromMilliseconds(left)) : null;

    /// <summary>It was asked.</summary>
    /// <param name="address">The address of the repository.</param>
    /// <param name="fault">Why it did not answer; null where it did. What only its answer can say is an answer.</param>
    /// <param name="took">How long the attempt took.</param>
    /// <param name="now">Unix milliseconds.</param>
    public void Asked(string address, GitException? fault, TimeSpan took, long now)
    {
        var host = HostOf(address);
        if (fault is not { Code: GitFaults.HostNotFound or GitFaults.Unreachable or GitFaults.TimedOut })
        {
            _silent.Remove(host);
            return;
        }

        var pause = KeeperPace.After(_silent.GetValueOrDefault(host).Pause, took);
        _silent[host] = (fault, pause, now + (long)pause.TotalMilliseconds);
    }

    /// <summary>Forgets hosts that no workspace needs any more.</summary>
    public void KeepOnly(IEnumerable<string> addresses)
    {
        var needed = addresses.Select(HostOf).ToHashSet();
        foreach (var gone in _silent.Keys.Where(host => !needed.Contains(host)).ToList())
        {
            _silent.Remove(gone);
        }
    }

    // A directory of this machine is a host of its own.
    private static string HostOf(string address) =>
        RepositoryAddress.LocalPath(address) is not null ? address
        : Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Authority.Length > 0 ? $"{url.Scheme}://{url.Host}:{url.Port}"
        : address.Split(':')[0];
}
