namespace FleetSidecar.Ground.Sockets;

/// <summary>A peer that answered with another address instead of serving: nothing is sent there.</summary>
/// <param name="Status">The status, 300 to 399.</param>
/// <param name="Target">Where it pointed, or null where it named no address that can be shown.</param>
public sealed record Redirection(int Status, Uri? Target)
{
    private const int MaxShownLength = 200;

    /// <summary>One clause for a log or a complaint, without user name, query and fragment: people put secrets
    /// there.</summary>
    public string Words => Target is null ? $"answers {Status} without an address" : $"answers {Status} to {Shown(Target)}";

    /// <summary>The target as the address of a WebSocket; null where there is none.</summary>
    public string? SocketAddress => Target?.Scheme switch
    {
        "http" or "ws" => Shown(WithScheme(Target, "ws")),
        "https" or "wss" => Shown(WithScheme(Target, "wss")),
        _ => null,
    };

    /// <summary>The address of a <c>Location</c> header, which may be relative (RFC 9110 section 10.2.2).</summary>
    public static Uri? Resolve(Uri asked, string? location) =>
        location is { Length: > 0 } && Uri.TryCreate(asked, location, out var target)
        && target.Scheme is "http" or "https" or "ws" or "wss" ? target : null;

    private static Uri WithScheme(Uri address, string scheme) =>
        new UriBuilder(address) { Scheme = scheme, Port = address.IsDefaultPort ? -1 : address.Port }.Uri;

    private static string Shown(Uri address)
    {
        var text = address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        return text.Length <= MaxShownLength ? text : $"{text[..MaxShownLength]}…";
    }
}
