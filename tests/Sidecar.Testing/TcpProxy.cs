using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace FleetSidecar.Testing;

/// <summary>A wire that can fail: passes bytes on, swallows them without a word, or cuts.</summary>
public sealed class TcpProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private volatile bool _swallow;
    private volatile bool _refuse;

    public TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string SocketUrl => $"ws://127.0.0.1:{Port}/ws";

    public int Connections { get; private set; }

    /// <summary>Open connections stay open and nothing passes any more: no FIN, no reset.</summary>
    public void BlackHole() => _swallow = true;

    /// <summary>Cuts every connection and turns new ones away.</summary>
    public void Cut()
    {
        _refuse = true;
        CloseAll();
    }

    public void Heal()
    {
        _swallow = _refuse = false;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        CloseAll();
        _stop.Dispose();
    }

    private void CloseAll()
    {
        while (_sockets.TryTake(out var socket))
        {
            socket.Close(0);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                if (_refuse)
                {
                    client.Close(0);
                    continue;
                }

                Connections++;
                var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(client);
                _sockets.Add(server);
                _ = JoinAsync(client, server);
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or ObjectDisposedException or SocketException)
        {
        }
    }

    private async Task JoinAsync(Socket client, Socket server)
    {
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
            await Task.WhenAny(CopyAsync(client, server), CopyAsync(server, client));
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
        {
        }

        if (!_swallow)
        {
            client.Close(0);
            server.Close(0);
        }
    }

    private async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[65536];
        try
        {
            while (true)
            {
                var count = await from.ReceiveAsync(buffer, _stop.Token);
                if (_swallow)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stop.Token);
                }

                if (count == 0)
                {
                    return;
                }

                await to.SendAsync(buffer.AsMemory(0, count), _stop.Token);
            }
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }
}
