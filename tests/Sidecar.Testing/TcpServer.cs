using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace FleetSidecar.Testing;

/// <summary>Accepts connections on a free port of this machine until it is disposed; what it does with one is its
/// heir's.</summary>
public abstract class TcpServer : IDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();

    /// <param name="address">127.0.0.1, or another of this machine's own.</param>
    protected TcpServer(string address = "127.0.0.1") => _listener = new TcpListener(IPAddress.Parse(address), 0);

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    protected CancellationToken Stopping => _stop.Token;

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
        OnDispose();
        GC.SuppressFinalize(this);
    }

    protected virtual void OnDispose()
    {
    }

    /// <summary>The last thing that an heir's constructor does.</summary>
    protected void Start()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>One connection; it is closed at the end. A peer that goes away is no fault.</summary>
    protected abstract Task ServeAsync(NetworkStream client);

    private static bool IsEnd(Exception fault) =>
        fault is IOException or SocketException or OperationCanceledException or ObjectDisposedException or AuthenticationException;

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
        }
        catch (Exception stopped) when (IsEnd(stopped))
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await ServeAsync(client.GetStream());
            }
            catch (Exception gone) when (IsEnd(gone))
            {
            }
        }
    }
}
