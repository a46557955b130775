using FleetSidecar.Ground;

namespace FleetSidecar.Import;

/// <summary>The address of the hub as the sidecar dials it. Pure.</summary>
/// <param name="Socket">A <c>ws://</c> or <c>wss://</c> address.</param>
/// <param name="Shown">The same without what may be a secret.</param>
/// <param name="Changed">It is not what the old configuration says.</param>
/// <param name="Open">Nothing encrypts it on its way to another machine.</param>
internal sealed record AgentComAddress(string Socket, string Shown, bool Changed, bool Open)
{
    /// <summary>Reads <c>hub_url</c>, or the address of the hub's interface where that is all there is.</summary>
    /// <param name="file">For complaints.</param>
    /// <param name="key">For complaints.</param>
    /// <param name="text">The address.</param>
    /// <exception cref="ConfigurationException">It is no address, or holds a password.</exception>
    public static AgentComAddress Read(string file, string key, string text)
    {
        if (
            !Uri.TryCreate(text, UriKind.Absolute, out var url)
            || url.Scheme is not ("ws" or "wss" or "http" or "https")
            || url.Host.Length == 0
        )
        {
            throw new ConfigurationException(
                $"{file}: '{key}' is no address of a hub",
                "for example ws://hub.example:4000/ws"
            );
        }

        if (url.UserInfo.Length > 0)
        {
            throw new ConfigurationException(
                $"{file}: '{key}' holds a user name or a password",
                "take them out: the token is what the hub asks for"
            );
        }

        var (plain, secure) = (url.Scheme is "ws" or "wss", url.Scheme is "wss" or "https");
        var socket = plain ? url : Dialled(url, secure ? "wss" : "ws");
        return new(
            plain ? text : socket.AbsoluteUri,
            socket.GetLeftPart(UriPartial.Path),
            Changed: !plain,
            Open: !secure && !url.IsLoopback
        );
    }

    // AgentCom's hub has its socket at /ws.
    private static Uri Dialled(Uri url, string scheme) =>
        new UriBuilder(url)
        {
            Scheme = scheme,
            Port = url.IsDefaultPort ? -1 : url.Port,
            Path = url.AbsolutePath == "/" ? "/ws" : url.AbsolutePath,
            Fragment = "",
        }.Uri;
}
