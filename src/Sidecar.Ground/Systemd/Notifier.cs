using System.Net.Sockets;
using System.Text;

namespace FleetSidecar.Ground.Systemd;

/// <summary>Tells the service manager how the program is: one datagram a message, nothing where there is no manager.</summary>
/// <remarks>See <see href="https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html">sd_notify(3)</see>. A manager that
/// cannot be reached is not a reason to stop working, so failures are swallowed here and nowhere else.</remarks>
public sealed class Notifier
{
    private readonly UnixDomainSocketEndPoint? _manager;

    public Notifier(string? address)
    {
        if (!string.IsNullOrEmpty(address))
        {
            // A leading @ stands for NUL: a name in the abstract namespace.
            _manager = new UnixDomainSocketEndPoint(address[0] == '@' ? '\0' + address[1..] : address);
        }
    }

    public static Notifier FromEnvironment() => new(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));

    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>The start takes longer than the manager expects, and why.</summary>
    public void Waiting(string status, TimeSpan room) => Send($"STATUS={status}\nEXTEND_TIMEOUT_USEC={(long)room.TotalMicroseconds}\nWATCHDOG=1");

    /// <summary>The configuration is being read again; <see cref="Ready"/> ends it. The time tells the manager which reload is meant.</summary>
    public void Reloading(TimeProvider time) =>
        Send(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={(long)(time.GetTimestamp() / (time.TimestampFrequency / 1_000_000.0))}"));

    /// <summary>Feeds the watchdog.</summary>
    public void Alive() => Send("WATCHDOG=1");

    public void Stopping() => Send("STOPPING=1");

    private void Send(string text)
    {
        if (_manager is null)
        {
            return;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(text), _manager);
        }
        catch (SocketException)
        {
        }
    }
}
