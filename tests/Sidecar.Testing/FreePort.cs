using System.Net;
using System.Net.Sockets;

namespace FleetSidecar.Testing;

/// <summary>A port that nobody uses; a hub that is restarted must come back on the same one.</summary>
public static class FreePort
{
    public static int Take()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
