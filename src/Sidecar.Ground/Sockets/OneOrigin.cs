using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;

namespace FleetSidecar.Ground.Sockets;

/// <summary>The only way to a peer that is shown a credential: the address that the operator named, and no
/// other.</summary>
/// <remarks>
/// The framework follows redirections by default, for the upgrade of a WebSocket as well, and takes proxies from the
/// environment. A redirection hands the conversation, and with it the token, to an address that the operator never saw;
/// a proxy
/// reads what is not encrypted. Both are off here, and a style test keeps every other HTTP client out of the source.
/// </remarks>
public static class OneOrigin
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>A handler that follows nothing and keeps no cookies.</summary>
    /// <param name="proxy">The proxy to use; null connects directly, whatever the environment says.</param>
    public static SocketsHttpHandler Handler(IWebProxy? proxy = null) => new()
    {
        AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None,
        UseProxy = proxy is not null, Proxy = proxy, ConnectTimeout = ConnectTimeout, ConnectCallback = ConnectAsync,
    };

    // Before the first byte: what comes later may be the secret.
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, token);
            if (socket is { RemoteEndPoint: IPEndPoint remote, LocalEndPoint: IPEndPoint local } && LocalListener.Complaint(remote, local) is { } complaint)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, complaint);
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The same for a peer outside of the fleet: over TLS a proxy of the environment sees the host's name
    /// alone, so it is used there.</summary>
    /// <param name="address">The address that the credential is for.</param>
    public static SocketsHttpHandler OutsideHandler(Uri address) =>
        Handler(address.Scheme == Uri.UriSchemeHttps ? HttpClient.DefaultProxy : null);

    /// <summary>Opens a WebSocket; the answer to the upgrade is judged by the caller, never followed.</summary>
    /// <param name="socket">Not connected, with no proxy, cookie or credential of its own.</param>
    /// <param name="address">Where to.</param>
    /// <param name="proxy">The proxy to use, or null.</param>
    /// <param name="token">Gives up.</param>
    /// <exception cref="WebSocketException">It did not become a WebSocket.</exception>
    public static async Task ConnectAsync(ClientWebSocket socket, Uri address, IWebProxy? proxy, CancellationToken token)
    {
        socket.Options.CollectHttpResponseDetails = true;
        using var invoker = new HttpMessageInvoker(Handler(proxy), disposeHandler: true);
        await socket.ConnectAsync(address, invoker, token);
    }

    /// <summary>What the answer to an upgrade pointed to; null where it pointed nowhere.</summary>
    public static Redirection? RedirectionOf(ClientWebSocket socket, Uri asked) =>
        RedirectionOf(socket.HttpStatusCode, asked, socket.HttpResponseHeaders?
            .FirstOrDefault(header => header.Key.Equals("Location", StringComparison.OrdinalIgnoreCase)).Value?.FirstOrDefault());

    /// <summary>What an answer pointed to; null where it pointed nowhere.</summary>
    public static Redirection? RedirectionOf(HttpStatusCode status, Uri asked, string? location) =>
        (int)status is >= 300 and < 400 ? new Redirection((int)status, Redirection.Resolve(asked, location)) : null;
}
