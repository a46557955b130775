using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.Testing;

/// <summary>A service manager's ear: what a program says on <c>NOTIFY_SOCKET</c>, and when.</summary>
public sealed class NotifySocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly ConcurrentQueue<(string Text, long At)> _heard = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _path;

    public NotifySocket(string path)
    {
        _path = path;
        _socket.Bind(new UnixDomainSocketEndPoint(path));
        _ = ListenAsync();
    }

    public IReadOnlyCollection<string> Heard => [.. _heard.Select(one => one.Text)];

    /// <summary>How often the watchdog was fed.</summary>
    public int Fed => _heard.Count(one => one.Text == "WATCHDOG=1");

    /// <summary>The environment of a unit with <c>WatchdogSec=</c>.</summary>
    public Dictionary<string, string?> Environment(TimeSpan watchdog) => new()
    {
        ["NOTIFY_SOCKET"] = _path,
        ["WATCHDOG_USEC"] = ((long)watchdog.TotalMicroseconds).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    /// <summary>The longest time between two feedings, the one since the last included.</summary>
    public TimeSpan LongestGap()
    {
        var times = _heard.Where(one => one.Text == "WATCHDOG=1").Select(one => one.At).Append(TimeProvider.System.GetTimestamp()).ToList();
        return times.Zip(times.Skip(1), TimeProvider.System.GetElapsedTime).DefaultIfEmpty(TimeSpan.MaxValue).Max();
    }

    public Task WaitForAsync(string start) => Wait.UntilAsync(() => Heard.Any(text => text.StartsWith(start, StringComparison.Ordinal)), $"the service manager to hear {start}");

    public void Dispose()
    {
        _stop.Cancel();
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ListenAsync()
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var count = await _socket.ReceiveAsync(buffer, _stop.Token);
                _heard.Enqueue((Encoding.UTF8.GetString(buffer, 0, count), TimeProvider.System.GetTimestamp()));
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or ObjectDisposedException or SocketException)
        {
        }
    }
}
