using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.Testing;

/// <summary>A proxy that knows CONNECT alone, asks for a password if it has one, and leads every tunnel to one port of
/// this machine.</summary>
public sealed class ConnectProxy : TcpServer
{
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly int _target;
    private readonly string? _credentials;

    /// <param name="target">Where every tunnel leads.</param>
    /// <param name="credentials"><c>USER:PASSWORD</c>, or null.</param>
    public ConnectProxy(int target, string? credentials = null)
    {
        (_target, _credentials) = (target, credentials);
        Start();
    }

    public string Address => $"http://127.0.0.1:{Port}";

    /// <summary>The heads of all requests.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    protected override async Task ServeAsync(NetworkStream client)
    {
        while (await HeadAsync(client) is { } head)
        {
            _requests.Enqueue(head);
            if (Refusal(head) is { } refusal)
            {
                await client.WriteAsync(Encoding.Latin1.GetBytes(refusal), Stopping);
                continue;
            }

            using var server = new TcpClient();
            await server.ConnectAsync(IPAddress.Loopback, _target, Stopping);
            await client.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), Stopping);
            var far = server.GetStream();
            await Task.WhenAny(client.CopyToAsync(far, Stopping), far.CopyToAsync(client, Stopping));
            return;
        }
    }

    private string? Refusal(string head)
    {
        if (!head.StartsWith("CONNECT ", StringComparison.Ordinal))
        {
            return "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
        }

        var wanted = _credentials is null ? null : $"Proxy-Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(_credentials))}\r\n";
        return wanted is null || head.Contains(wanted, StringComparison.OrdinalIgnoreCase) ? null
            : "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    }

    // One byte at a time: what follows the head belongs to the tunnel.
    private async Task<string?> HeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var letter = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(letter, Stopping) == 0)
            {
                return null;
            }

            head.Append((char)letter[0]);
        }

        return head.ToString();
    }
}
