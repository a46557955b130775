using System.Net;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Sockets;

/// <summary>A proxy that is asked for a tunnel (CONNECT) and nothing else: it sees the peer's name and port, and TLS
/// keeps the rest from it.</summary>
public static class TunnelProxy
{
    private const int MaxFileBytes = 4096;

    /// <summary>Null where there is none.</summary>
    /// <param name="address">What <see cref="Complaint"/> found right, or null.</param>
    /// <param name="credentialsFile">File with <c>USER:PASSWORD</c>, or null.</param>
    /// <param name="redactor">Told of the password.</param>
    /// <exception cref="SidecarException">The file cannot be used.</exception>
    public static IWebProxy? Of(string? address, string? credentialsFile, Redactor redactor) =>
        address is null
            ? null
            : new WebProxy(new Uri(address)) { Credentials = credentialsFile is null ? null : Read(credentialsFile, redactor) };

    /// <summary>Why a proxy cannot be used on the way to a peer, and what to do; null where it can.</summary>
    /// <param name="address">The proxy's.</param>
    /// <param name="peerHasTls">The peer's address says <c>wss</c> or <c>https</c>.</param>
    public static (string Complaint, string Hint)? Complaint(string address, bool peerHasTls)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0
            || url.PathAndQuery != "/" || url.Fragment.Length > 0)
        {
            return ("must be an http:// or https:// address of host and port alone", "for example http://proxy.example:3128");
        }

        if (url.UserInfo.Length > 0)
        {
            return ("must not hold a user name or a password", "write USER:PASSWORD into a file and name it in hub.proxyCredentialsFile");
        }

        return peerHasTls ? null : ("needs a hub address with TLS: through a tunnel to ws:// the proxy would read the agent's token",
            "put a TLS proxy in front of the hub and use wss:// in hub.url, or leave hub.proxy out");
    }

    private static NetworkCredential Read(string file, Redactor redactor)
    {
        var text = OutsideFile.Read(file, MaxFileBytes, followLink: true) is { } bytes
            ? OutsideText.Decode(bytes).Trim()
            : throw new SidecarException($"cannot read {file}, the credentials of the proxy", "write USER:PASSWORD there, readable for the service user");
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1 || text.Any(char.IsControl))
        {
            throw new SidecarException($"{file} does not hold the credentials of the proxy", "write USER:PASSWORD into it and nothing else");
        }

        redactor.Learn(text[(colon + 1)..]);
        return new NetworkCredential(text[..colon], text[(colon + 1)..]);
    }
}
