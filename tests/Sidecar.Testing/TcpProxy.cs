using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.Testing;

/// <summary>A wire that can fail: passes bytes on, swallows them without a word, drips, loses one end, or cuts, in mid-frame too.</summary>
public sealed class TcpProxy : IDisposable
{
    // Without it the kernel puts the bytes together again.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private volatile bool _swallow;
    private volatile bool _refuse;
    private volatile bool _drip;
    private volatile bool _closeUnanswered;
    private int _unanswered;
    private volatile string? _cutInside;
    private int _cuts;

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

    /// <summary>From now on every byte is sent by itself, a moment after the one before.</summary>
    public void Drip() => _drip = true;

    /// <summary>The hub's end of every connection is closed; the sidecar's stays open and hears nothing of it.</summary>
    public void LoseHubEnd()
    {
        _swallow = true;
        foreach (var socket in _sockets.Where(socket => (socket.RemoteEndPoint as IPEndPoint)?.Port == _target))
        {
            socket.Close(0);
        }
    }

    /// <summary>The next frame of the hub that holds this text is cut in its middle and the connection reset. (What a client sends is masked.)</summary>
    public void CutInside(string text) => _cutInside = text;

    /// <summary>How often <see cref="CutInside"/> has struck.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Cuts every connection and turns new ones away.</summary>
    public void Cut()
    {
        _refuse = true;
        CloseAll();
    }

    /// <summary>From now on what comes in is read, and the connection is closed in good order without a word, as a server above its limit of connections does.</summary>
    public void CloseUnanswered() => _closeUnanswered = true;

    /// <summary>Connections that were closed unanswered.</summary>
    public int Unanswered => Volatile.Read(ref _unanswered);

    public void Heal()
    {
        _swallow = _refuse = _closeUnanswered = false;
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

                if (_closeUnanswered)
                {
                    _ = CloseUnansweredAsync(client);
                    continue;
                }

                Connections++;
                var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                client.NoDelay = true;
                _sockets.Add(client);
                _sockets.Add(server);
                _ = JoinAsync(client, server);
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or ObjectDisposedException or SocketException)
        {
        }
    }

    private async Task CloseUnansweredAsync(Socket client)
    {
        try
        {
            await client.ReceiveAsync(new byte[65536], _stop.Token);
            Interlocked.Increment(ref _unanswered);
            client.Shutdown(SocketShutdown.Both);
            client.Close();
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
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

                if (_cutInside is { } text && Encoding.UTF8.GetString(buffer, 0, count).Contains(text, StringComparison.Ordinal))
                {
                    _cutInside = null;
                    await to.SendAsync(buffer.AsMemory(0, count / 2), _stop.Token);
                    Interlocked.Increment(ref _cuts);
                    return;
                }

                var piece = _drip ? 1 : count;
                for (var at = 0; at < count; at += piece)
                {
                    await to.SendAsync(buffer.AsMemory(at, piece), _stop.Token);
                    await (_drip ? Task.Delay(Pause, TimeProvider.System, _stop.Token) : Task.CompletedTask);
                }
            }
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }
}
