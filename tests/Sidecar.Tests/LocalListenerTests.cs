using System.Net;
using System.Net.Sockets;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Sockets;

namespace FleetSidecar.Tests;

public sealed class LocalListenerTests
{
    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    [Fact]
    public void The_kernels_table_says_who_listens_at_a_port()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        var here = (IPEndPoint)listener.LocalEndpoint;

        Assert.Equal([UnixAccounts.Self], LocalListener.UsersAt(File.ReadAllText("/proc/net/tcp"), here.Port, [here.Address], null));
        Assert.Empty(LocalListener.UsersAt(File.ReadAllText("/proc/net/tcp"), here.Port, [IPAddress.Parse("127.0.0.9")], null)); // Another address is nobody's way here.
        Assert.Null(LocalListener.Complaint(new Uri($"ws://{listener.LocalEndpoint}/ws")));
    }

    // It listens, accepts, closes what listened, and only then answers.
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::ffff:0:0", "127.0.0.1")] // One that listens for both families.
    [InlineData("::1", "::1")]
    public void Who_has_accepted_a_connection_is_known_when_nobody_listens_any_more(string listens, string connects)
    {
        using var listener = listens.StartsWith("::ffff", StringComparison.Ordinal) ? TcpListener.Create(0) : new TcpListener(IPAddress.Parse(listens), 0);
        listener.Start();
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        client.Connect(IPAddress.Parse(connects), ((IPEndPoint)listener.LocalEndpoint).Port);
        using var accepted = listener.AcceptSocket();
        listener.Stop();
        var (remote, local) = ((IPEndPoint)client.RemoteEndPoint!, (IPEndPoint)client.LocalEndPoint!);
        var address = remote.Address.IsIPv4MappedToIPv6 ? remote.Address.MapToIPv4() : remote.Address;

        var users = Tables.SelectMany(table => LocalListener.UsersAt(File.ReadAllText(table), remote.Port, [address], local)).ToList();

        Assert.Equal([UnixAccounts.Self], users);
        Assert.Null(LocalListener.Complaint(remote, local));
    }

    [Theory]
    [InlineData("", 80)]
    [InlineData("  sl\nnothing of the kind\n 0: x:y z 0A\n", 80)]
    [InlineData("  sl\n   0: 0100007F:0050 0200007F:0000 01 00000000:00000000 00:00000000 00000000  7 0 1\n", 80)]
    public void What_is_no_listener_has_no_user(string table, int port) => Assert.Empty(LocalListener.UsersAt(table, port, [IPAddress.Loopback], new IPEndPoint(IPAddress.Loopback, 0)));
}
