using System.Globalization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Sockets;

/// <summary>Whose program listens at a port of this machine, as the kernel says. Whoever may run programs here can take a port that nobody has just now, and be told the secrets that are meant for another.</summary>
public static class LocalListener
{
    // The users that agents in units run as are called so, or this with a number.
    private const string AgentsUser = "fleet-agent";

    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    private const int LargestTable = 16 * 1024 * 1024;
    private const string Listening = "0A"; // TCP_LISTEN of the kernel's tcp_states.h.

    /// <summary>Why a secret must not be shown at an address, or null. Only addresses of this machine's own loop are known.</summary>
    public static string? Complaint(Uri address) =>
        !address.IsLoopback ? null
        : Tables.Select(table => OutsideFile.Read(table, LargestTable, followLink: true) is { } bytes ? OutsideText.Decode(bytes) : "")
            .SelectMany(table => UsersAt(table, address.Port)).Select(UnixAccounts.NameOf).FirstOrDefault(user => user == AgentsUser || user.StartsWith($"{AgentsUser}-", StringComparison.Ordinal)) is { } user
            ? string.Create(CultureInfo.InvariantCulture, $"port {address.Port} of this machine is held by a program of {user}, which is no hub") : null;

    /// <summary>Reads the kernel's table: who listens at a port, whatever the address.</summary>
    public static IEnumerable<uint> UsersAt(string table, int port)
    {
        foreach (var line in table.Split('\n').Skip(1))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var local, _, Listening, _, _, _, var user, ..]
                && int.TryParse(local.AsSpan(local.LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var found) && found == port
                && uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                yield return number;
            }
        }
    }
}
