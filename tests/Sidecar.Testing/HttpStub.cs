using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.Testing;

/// <summary>A listener that gives one answer to every request and remembers what was said to it.</summary>
public sealed class HttpStub : TcpServer
{
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly Func<string, string> _answer;

    /// <param name="answer">Status line and headers for the head of a request, without the empty line at the
    /// end.</param>
    /// <param name="address">127.0.0.1, or another of this machine's own.</param>
    public HttpStub(Func<string, string> answer, string address = "127.0.0.1")
        : base(address)
    {
        _answer = answer;
        Start();
        Authority = $"{address}:{Port}";
    }

    /// <summary>Host and port.</summary>
    public string Authority { get; }

    /// <summary>The heads of all requests.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Sends every request to another address.</summary>
    public static HttpStub RedirectingTo(string location, int status = 301) => new(_ => $"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0");

    /// <summary>Where a redirection leads; on another address of the machine, so another host.</summary>
    public static HttpStub Elsewhere() => new(_ => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0", "127.0.0.2");

    protected override async Task ServeAsync(NetworkStream client)
    {
        var buffer = new byte[64 * 1024];
        var length = 0;
        while (Encoding.Latin1.GetString(buffer, 0, length) is var head && !head.Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            var count = await client.ReadAsync(buffer.AsMemory(length), Stopping);
            if (count == 0)
            {
                return;
            }

            length += count;
        }

        var request = Encoding.Latin1.GetString(buffer, 0, length);
        _requests.Enqueue(request);
        await client.WriteAsync(Encoding.Latin1.GetBytes(_answer(request) + "\r\nConnection: close\r\n\r\n"), Stopping);
        client.Socket.Shutdown(SocketShutdown.Send);
        while (await client.ReadAsync(buffer, Stopping) > 0)
        {
        }
    }
}
