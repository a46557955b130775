using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Control;

/// <summary>Listens on two unix sockets, one for operators and one for agents: one line in, one line out, then the connection ends.</summary>
/// <remarks>Bounded on every side: a request has a size and a time, and only so many are open at once; whoever comes next waits in
/// the kernel's queue, agents never in the operators'. Who may ask as an operator is the socket's file mode, owner and group; who
/// may speak for a run is what the run's agent alone knows, and where it is.</remarks>
internal sealed partial class ControlServer(SidecarConfig config, ControlHandler handler, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<ControlServer> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const int LargestRequest = 512 * 1024;
    private const int MostAtOnce = 32, MostOfOneUnit = 8; // An agent that holds its connections open shuts out itself and nobody else.
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode Everybody = Owners | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private Socket? _operators, _agents;

    /// <summary>Opens the sockets; part of the start, so that whoever sees READY can connect.</summary>
    public void Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(config.SocketFile)!);
        _operators = Listen(config.SocketFile, Owners);
        _agents = Listen(config.AgentSocketFile, Everybody);
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        LogControlReady(config.SocketFile);
        try
        {
            await await Task.WhenAny(ServeAllAsync(_operators!, isAgents: false, stopping), ServeAllAsync(_agents!, isAgents: true, stopping));
        }
        finally
        {
            _operators!.Dispose();
            _agents!.Dispose();
            File.Delete(config.SocketFile);
            File.Delete(config.AgentSocketFile);
        }
    }

    private static Socket Listen(string file, UnixFileMode mode)
    {
        File.Delete(file); // Left by a crash: the lock on the state directory says that nobody listens there.
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(file));
        File.SetUnixFileMode(file, mode);
        socket.Listen(MostAtOnce);
        return socket;
    }

    private async Task ServeAllAsync(Socket listener, bool isAgents, CancellationToken stopping)
    {
        using var slots = new SemaphoreSlim(MostAtOnce);
        var open = new ConcurrentDictionary<string, int>();
        while (true)
        {
            await slots.WaitAsync(stopping);
            var client = await AcceptAsync(listener, stopping);
            var caller = Caller.Of(client, isAgents);
            var unit = isAgents && config.AgentsInUnits ? caller.Unit : null;
            if (unit is not null && open.AddOrUpdate(unit, 1, (_, count) => count + 1) > MostOfOneUnit)
            {
                client.Dispose();
                Done(unit);
                continue;
            }

            _ = ServeAsync(client, caller, () => Done(unit), stopping);
        }

        void Done(string? unit)
        {
            if (unit is not null && open.AddOrUpdate(unit, 0, (_, count) => count - 1) <= 0)
            {
                open.TryRemove(new(unit, 0));
            }

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

    private async Task<Socket> AcceptAsync(Socket listener, CancellationToken stopping)
    {
        var next = listener.AcceptAsync(stopping).AsTask();
        while (await Task.WhenAny(next, Task.Delay(Pulse.Usual / 3, time, stopping)) != next)
        {
            stopping.ThrowIfCancellationRequested();
            Pulse.Beat();
        }

        Pulse.Beat();
        return await next;
    }

    [SuppressMessage("Design", "CA1031", Justification = "One caller's broken request must not take the socket away from the others.")]
    private async Task ServeAsync(Socket client, Caller caller, Action done, CancellationToken stopping)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var alarm = time.CreateTimer(_ => limited.Cancel(), null, Patience, Timeout.InfiniteTimeSpan);
        try
        {
            using var stream = new NetworkStream(client, ownsSocket: true);
            var response = await ReadAsync(stream, limited.Token) is { } request
                ? await handler.AnswerAsync(request, caller, limited.Token)
                : ControlResponse.Refuse("the request is not one line of JSON of at most 512 KiB that this version understands", "use the fleet-sidecar command line");
            await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(response, ControlJson.Default.ControlResponse), limited.Token);
            stream.WriteByte((byte)'\n');
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception fault)
        {
            if (!(caller.IsAgent && fault is IOException)) // An agent that hangs up is nobody's concern, however often.
            {
                LogRequestFailed(fault.Message);
            }
        }
        finally
        {
            done();
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
