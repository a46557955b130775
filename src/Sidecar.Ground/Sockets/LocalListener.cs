using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Sockets;

/// <summary>Whose program is at the other end of a connection within this machine, as the kernel says. An agent's program can take a port while the hub is down, and would be sent the hub's secrets.</summary>
public static class LocalListener
{
    // The users that agents in units run as are called so, or this with a number.
    private const string AgentsUser = "fleet-agent";

    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    private const int LargestTable = 64 * 1024 * 1024;
    private const string Listening = "0A"; // TCP_LISTEN of the kernel's tcp_states.h.

    /// <summary>Says that an agent's program holds the port of an address of this machine; null where none does. A secret is safe only after the same check of the connection itself.</summary>
    public static string? Complaint(Uri address) =>
        !address.IsLoopback ? null : Complaint(address.Port, IPAddress.TryParse(address.Host.Trim('[', ']'), out var named) ? [named] : [IPAddress.Loopback, IPAddress.IPv6Loopback], null);

    /// <summary>The same for a connection that is there, before anything was said on it. The kernel connects an address of this machine to itself by that same address.</summary>
    /// <param name="remote">The other end.</param>
    /// <param name="local">Our end.</param>
    public static string? Complaint(IPEndPoint remote, IPEndPoint local) =>
        !IPAddress.IsLoopback(Plain(remote.Address)) && !Plain(remote.Address).Equals(Plain(local.Address)) ? null : Complaint(remote.Port, [Plain(remote.Address)], local);

    /// <summary>Reads the kernel's table: who can accept a connection to an address, and who has accepted one.</summary>
    /// <param name="table">The table. It names those that listen before those that are connected: who closes the one to have only the other is met as the other.</param>
    /// <param name="port">The port.</param>
    /// <param name="addresses">The address at this port.</param>
    /// <param name="peer">The other end of the connection that may have been accepted; null for those that listen alone.</param>
    public static IEnumerable<uint> UsersAt(string table, int port, IReadOnlyList<IPAddress> addresses, IPEndPoint? peer)
    {
        foreach (var line in table.Split('\n').Skip(1))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var local, var remote, var state, _, _, _, var user, ..]
                && EndOf(local) is { } end && end.Port == port && uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && (state == Listening ? IsAny(end.Address) || addresses.Contains(end.Address)
                    : peer is not null && EndOf(remote) is { } other && other.Port == peer.Port && other.Address.Equals(Plain(peer.Address))))
            {
                yield return number;
            }
        }
    }

    // Who opens connections enough could make the table longer than can be read; then nobody knows who is there.
    private static string? Complaint(int port, IReadOnlyList<IPAddress> addresses, IPEndPoint? peer) =>
        Tables.Select(table => (Name: table, Bytes: OutsideFile.Read(table, LargestTable, followLink: true))).ToList() is var read && read.FirstOrDefault(table => table.Bytes is null && File.Exists(table.Name)).Name is { } unread
            ? $"{unread} cannot be read, so nobody knows whose program is at the other end"
        : read.Select(table => table.Bytes is { } bytes ? OutsideText.Decode(bytes) : "").SelectMany(table => UsersAt(table, port, addresses, peer)).Select(UnixAccounts.NameOf).FirstOrDefault(user => user == AgentsUser || user.StartsWith($"{AgentsUser}-", StringComparison.Ordinal)) is { } user
            ? string.Create(CultureInfo.InvariantCulture, $"port {port} of this machine is held by a program of {user}, which is no hub") : null;

    // Numbers of four bytes each, as this machine has them in memory; then the port.
    private static IPEndPoint? EndOf(string text)
    {
        if (text.Split(':') is not [{ Length: 8 or 32 } address, var port] || !int.TryParse(port, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number) || number is < 0 or > IPEndPoint.MaxPort)
        {
            return null;
        }

        var bytes = new byte[address.Length / 2];
        for (var at = 0; at < bytes.Length; at += sizeof(uint))
        {
            if (!uint.TryParse(address.AsSpan(at * 2, sizeof(uint) * 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var word))
            {
                return null;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        }

        return new IPEndPoint(Plain(new IPAddress(bytes)), number);
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
