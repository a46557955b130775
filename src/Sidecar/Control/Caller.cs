using System.Net.Sockets;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Control;

/// <summary>Who asks: as the kernel says it, not as the caller does.</summary>
/// <param name="IsAgent">It came to the agents' socket and may speak for its own run alone.</param>
/// <param name="Unit">The unit that its process is in; null where there is none, or where the process has ended and its number
/// could be another one's.</param>
internal sealed record Caller(bool IsAgent, string? Unit)
{
    public static Caller Of(Socket client, bool isAgent)
    {
        if (!isAgent)
        {
            return new Caller(isAgent, Unit: null);
        }

        var unit = ControlGroup.UnitOf(PeerProcess.Of(client));
        return new Caller(isAgent, unit is not null && PeerProcess.MayHaveEnded(client) ? null : unit); // In this order.
    }
}
