using System.Net;

namespace FleetHub.Api;

/// <summary>The address under which a caller reached the hub: the connection's, or what a trusted proxy says of it.</summary>
internal sealed record PublicAddress(bool IsSecure, string Host)
{
    private const string Proto = "X-Forwarded-Proto", ForwardedHost = "X-Forwarded-Host", ForwardedFor = "X-Forwarded-For";

    public string SocketUrl => $"{(IsSecure ? "wss" : "ws")}://{Host}/ws";

    public string ApiUrl => $"{(IsSecure ? "https" : "http")}://{Host}";

    /// <summary>Headers of a peer that is not a trusted proxy are passed over: any caller can write them.</summary>
    public static PublicAddress Of(HttpRequest request, IReadOnlyList<IPNetwork> trusted)
    {
        var direct = new PublicAddress(request.IsHttps, request.Host.Value ?? "");
        if (!IsTrusted(request.HttpContext.Connection.RemoteIpAddress, trusted))
        {
            return direct;
        }

        var isSecure = Last(request, Proto) switch
        {
            "https" => true,
            "http" => false,
            _ => direct.IsSecure,
        };
        var host = Last(request, ForwardedHost);
        return new PublicAddress(isSecure, host is not null && IsHost(host) ? host : direct.Host);
    }

    /// <summary>Who calls: the connection's address, or what a trusted proxy says of it.</summary>
    public static IPAddress? CallerOf(HttpRequest request, IReadOnlyList<IPNetwork> trusted)
    {
        var peer = request.HttpContext.Connection.RemoteIpAddress;
        return IsTrusted(peer, trusted) && IPAddress.TryParse(Last(request, ForwardedFor), out var caller) ? caller : peer;
    }

    private static bool IsTrusted(IPAddress? peer, IReadOnlyList<IPNetwork> trusted)
    {
        var address = peer is { IsIPv4MappedToIPv6: true } ? peer.MapToIPv4() : peer;
        return address is not null && trusted.Any(network => network.Contains(address));
    }

    // A proxy appends to what its client sent: only the last entry is the proxy's own word.
    private static string? Last(HttpRequest request, string header) => request.Headers[header].ToString()
        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).LastOrDefault();

    private static bool IsHost(string text) =>
        Uri.TryCreate($"http://{text}/", UriKind.Absolute, out var address) && address.PathAndQuery == "/"
        && address.UserInfo.Length == 0 && address.Fragment.Length == 0;
}
