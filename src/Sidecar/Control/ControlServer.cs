using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Control;

/// <summary>Listens on the unix socket: one line in, one line out, then the connection ends.</summary>
/// <remarks>Bounded on every side: a request has a size and a time, and only so many are open at once; whoever comes next waits in
/// the kernel's queue. Who may connect is the socket's file mode, owner and group.</remarks>
internal sealed partial class ControlServer(SidecarConfig config, ControlHandler handler, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<ControlServer> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const int LargestRequest = 512 * 1024;
    private const int MostAtOnce = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private Socket? _listener;

    /// <summary>Opens the socket; part of the start, so that whoever sees READY can connect.</summary>
    public void Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(config.SocketFile)!);
        File.Delete(config.SocketFile); // Left by a crash: the lock on the state directory says that nobody listens there.
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(config.SocketFile));
        File.SetUnixFileMode(config.SocketFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
        _listener.Listen(MostAtOnce);
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        using var slots = new SemaphoreSlim(MostAtOnce);
        LogControlReady(config.SocketFile);
        try
        {
            while (true)
            {
                await slots.WaitAsync(stopping);
                _ = ServeAsync(await AcceptAsync(stopping), slots, stopping);
            }
        }
        finally
        {
            _listener!.Dispose();
            File.Delete(config.SocketFile);
        }
    }

    private async Task<Socket> AcceptAsync(CancellationToken stopping)
    {
        var next = _listener!.AcceptAsync(stopping).AsTask();
        while (await Task.WhenAny(next, Task.Delay(Pulse.Usual / 3, time, stopping)) != next)
        {
            stopping.ThrowIfCancellationRequested();
            Pulse.Beat();
        }

        Pulse.Beat();
        return await next;
    }

    [SuppressMessage("Design", "CA1031", Justification = "One caller's broken request must not take the socket away from the others.")]
    private async Task ServeAsync(Socket client, SemaphoreSlim slots, CancellationToken stopping)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var alarm = time.CreateTimer(_ => limited.Cancel(), null, Patience, Timeout.InfiniteTimeSpan);
        try
        {
            using var stream = new NetworkStream(client, ownsSocket: true);
            var response = await ReadAsync(stream, limited.Token) is { } request
                ? await handler.AnswerAsync(request, limited.Token)
                : ControlResponse.Refuse("the request is not one line of JSON of at most 512 KiB that this version understands", "use the fleet-sidecar command line");
            await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(response, ControlJson.Default.ControlResponse), limited.Token);
            stream.WriteByte((byte)'\n');
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception fault)
        {
            LogRequestFailed(fault.Message);
        }
        finally
        {
            try
            {
                slots.Release();
            }
            catch (ObjectDisposedException)
            {
                // The server has stopped meanwhile.
            }
        }
    }

    private static async Task<ControlRequest?> ReadAsync(NetworkStream stream, CancellationToken token)
    {
        var buffer = new byte[4096];
        var length = 0;
        while (buffer.AsSpan(0, length).IndexOf((byte)'\n') < 0)
        {
            if (length == buffer.Length)
            {
                if (length >= LargestRequest)
                {
                    return null;
                }

                Array.Resize(ref buffer, length * 2);
            }

            var count = await stream.ReadAsync(buffer.AsMemory(length), token);
            if (count == 0)
            {
                return null;
            }

            length += count;
        }

        try
        {
            return JsonSerializer.Deserialize(buffer.AsSpan(0, buffer.AsSpan(0, length).IndexOf((byte)'\n')), ControlJson.Default.ControlRequest);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [LoggerMessage(EventIds.ControlReady, LogLevel.Debug, "listening on {Socket}", EventName = "ControlReady")]
    private partial void LogControlReady(string socket);

    [LoggerMessage(EventIds.ControlRequestFailed, LogLevel.Warning, "a request on the control socket failed: {Message}; the socket stays open", EventName = "ControlRequestFailed")]
    private partial void LogRequestFailed(string message);
}
