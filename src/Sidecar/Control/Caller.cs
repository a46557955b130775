using System.Net.Sockets;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Control;

/// <summary>Who asks: as the kernel says it, not as the caller does.</summary>
/// <param name="IsAgent">It came to the agents' socket and may speak for its own run alone.</param>
/// <param name="Pid">Its process when it connected.</param>
internal sealed record Caller(bool IsAgent, int Pid)
{
    private const int SocketLevel = 1, PeerCredentials = 17; // SOL_SOCKET, SO_PEERCRED; see unix(7)

    /// <summary>The unit that the caller is in; null where there is none.</summary>
    public string? Unit => ControlGroup.UnitOf(Pid);

    public static Caller Of(Socket client, bool isAgent)
    {
        var credentials = new byte[3 * sizeof(int)]; // pid, user, group
        _ = client.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return new Caller(isAgent, BitConverter.ToInt32(credentials));
    }
}
