using System.Net;

namespace FleetHub.Sockets;

/// <summary>Counts the connections that have not identified yet, so that callers without a token cannot take the hub's memory.</summary>
/// <remarks>
/// A sidecar is one of them for milliseconds; one that finds no place is told to come again in two seconds. Callers behind one
/// address, a proxy that is not named with <c>--trusted-proxy</c>, share its places; who shows a token when it comes has places of
/// its own, so that nobody beside it can keep it out.
/// </remarks>
internal sealed class UnidentifiedConnections(HubOptions options)
{
    private const int MostOfAnAgent = 4;
    private readonly Lock _turn = new();
    private readonly Dictionary<UInt128, int> _byAddress = [];
    private readonly Dictionary<string, int> _byAgent = [];
    private int _all;

    /// <summary>A place, to be given back by disposing; null where there is none.</summary>
    public IDisposable? Enter(IPAddress? caller)
    {
        var key = KeyOf(caller);
        lock (_turn)
        {
            var already = _byAddress.GetValueOrDefault(key);
            if (_all >= options.MaxUnidentified || already >= options.MaxUnidentifiedPerAddress)
            {
                return null;
            }

            _all++;
            _byAddress[key] = already + 1;
            return new Place(() => Leave(key));
        }
    }

    /// <summary>The same for a caller whose token is known already; each agent has a few.</summary>
    public IDisposable? EnterKnown(string agent)
    {
        lock (_turn)
        {
            var already = _byAgent.GetValueOrDefault(agent);
            if (already >= MostOfAnAgent)
            {
                return null;
            }

            _byAgent[agent] = already + 1;
            return new Place(() => Leave(agent));
        }
    }

    // Who has an IPv6 address has 2^64 of them.
    private static UInt128 KeyOf(IPAddress? caller)
    {
        var bytes = (caller ?? IPAddress.None).MapToIPv6().GetAddressBytes();
        var whole = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return caller is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } ? whole >> 64 << 64 : whole;
    }

    private void Leave(UInt128 key)
    {
        lock (_turn)
        {
            _all--;
            if (_byAddress[key]-- == 1)
            {
                _byAddress.Remove(key);
            }
        }
    }

    private void Leave(string agent)
    {
        lock (_turn)
        {
            if (_byAgent[agent]-- == 1)
            {
                _byAgent.Remove(agent);
            }
        }
    }

    private sealed class Place(Action leave) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                leave();
            }
        }
    }
}
