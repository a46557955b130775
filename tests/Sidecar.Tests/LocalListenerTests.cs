using System.Net;
using System.Net.Sockets;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Sockets;

namespace FleetSidecar.Tests;

public sealed class LocalListenerTests
{
    [Fact]
    public void The_kernels_table_says_who_listens_at_a_port()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        var users = LocalListener.UsersAt(File.ReadAllText("/proc/net/tcp"), ((IPEndPoint)listener.LocalEndpoint).Port).ToList();

        Assert.Equal([UnixAccounts.Self], users);
        Assert.Null(LocalListener.Complaint(new Uri($"ws://{listener.LocalEndpoint}/ws")));
    }

    [Theory]
    [InlineData("", 80)]
    [InlineData("  sl\nnothing of the kind\n 0: x:y z 0A\n", 80)]
    [InlineData("  sl\n   0: 0100007F:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000  7 0 1\n", 80)]
    public void What_is_no_listener_has_no_user(string table, int port) => Assert.Empty(LocalListener.UsersAt(table, port));
}
