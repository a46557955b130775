using System.Net.Sockets;
using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Logs;

/// <summary>Sends entries with fields to journald: one datagram an entry, in its native form.</summary>
/// <remarks>See <see href="https://systemd.io/JOURNAL_NATIVE_PROTOCOL/">the protocol</see>. A journal that does not read costs entries,
/// never a loop: what cannot be sent at once is dropped.</remarks>
internal sealed class JournalSocket : IDisposable
{
    private const string Address = "/run/systemd/journal/socket";
    private const int LongestValue = 48 * 1024; // A datagram has to fit into the socket's buffer whole.

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
    private readonly UnixDomainSocketEndPoint _journal = new(Address);

    /// <summary>True where standard output goes to journald and journald takes entries.</summary>
    /// <remarks>The variable alone is not enough: whatever a service starts inherits it. See systemd.exec(5).</remarks>
    public static bool IsThere => Environment.GetEnvironmentVariable("JOURNAL_STREAM")?.Split(':') is [_, var inode]
        && File.ResolveLinkTarget("/proc/self/fd/1", returnFinalTarget: false)?.Name == $"socket:[{inode}]" && File.Exists(Address);

    public void Send(IEnumerable<KeyValuePair<string, string>> fields)
    {
        using var entry = new MemoryStream();
        foreach (var (name, value) in fields)
        {
            // A value with a line break would need its length in front; ours are one line.
            var line = LogLine.OneLine(value);
            entry.Write(Encoding.UTF8.GetBytes($"{name}={Printable.Head(line, LongestValue)}\n"));
        }

        try
        {
            _ = _socket.SendTo(entry.GetBuffer().AsSpan(0, (int)entry.Length), _journal);
        }
        catch (SocketException)
        {
        }
    }

    public void Dispose() => _socket.Dispose();
}
