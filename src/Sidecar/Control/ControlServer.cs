using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text.Json;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Control;

/// <summary>Listens on two unix sockets, one for operators and one for agents: one line in, one line out, then the connection ends.</summary>
/// <remarks>Bounded on every side: a request has a size and a time, and only so many are open at once; whoever comes next waits in
/// the kernel's queue, agents never in the operators'. Who may ask as an operator is the socket's file mode, owner and group; who
/// may speak for a run is what the run's agent alone knows, and where it is.</remarks>
internal sealed partial class ControlServer(SidecarConfig config, ControlHandler handler, AgentUnits units, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<ControlServer> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const int LargestRequest = 512 * 1024;
    private const int MostAtOnce = 32, LooksInAPulse = 12;
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode Everybody = Owners | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ControlListener _operators = new(config.SocketFile, config.IsOwnPlace(config.SocketFile), Owners, MostAtOnce);
    private readonly ControlListener _agents = new(config.AgentSocketFile, config.IsOwnPlace(config.AgentSocketFile), Everybody, MostAtOnce);

    /// <summary>Opens the sockets; part of the start, so that a client that sees READY can connect. A disk that is full costs the sockets and not the start.</summary>
    public void Open()
    {
        foreach (var listener in new[] { _operators, _agents })
        {
            try
            {
                listener.Open();
            }
            catch (Exception fault) when (fault is IOException or SocketException { SocketErrorCode: not SocketError.AccessDenied })
            {
                LogSocketMissing(listener.File, fault.Message);
            }
        }
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        if (_operators.IsOpen)
        {
            LogControlReady(config.SocketFile);
        }

        using (_operators)
        using (_agents)
        {
            await await Task.WhenAny(ServeAllAsync(_operators, isAgents: false, stopping), ServeAllAsync(_agents, isAgents: true, stopping));
        }
    }

    private async Task ServeAllAsync(ControlListener listener, bool isAgents, CancellationToken stopping)
    {
        if (isAgents && config.AgentsInUnits)
        {
            await ServeUnitsAsync(listener, stopping);
        }

        using var slots = new SemaphoreSlim(MostAtOnce);
        while (true)
        {
            await slots.WaitAsync(stopping);
            var client = await AcceptAsync(listener, stopping);
            _ = ServeAsync(client, Caller.Of(client, isAgents), Done, stopping);
        }

        void Done()
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

    // Taken from the queue at once, and refused where there is no place: whoever waits there would keep others out.
    private async Task ServeUnitsAsync(ControlListener listener, CancellationToken stopping)
    {
        var door = new AgentDoor(unit => units.RunOf(unit) is not null);
        while (true)
        {
            var client = await AcceptAsync(listener, stopping);
            var caller = Caller.Of(client, isAgent: true);
            if (door.TryEnter(caller.Unit))
            {
                _ = ServeAsync(client, caller, () => door.Leave(caller.Unit), stopping);
            }
            else
            {
                client.Dispose();
            }
        }
    }

    private async Task<Socket> AcceptAsync(ControlListener listener, CancellationToken stopping)
    {
        var next = listener.IsOpen ? listener.AcceptAsync(stopping) : null;
        var isSaid = next is null;
        while (true)
        {
            var pause = Task.Delay(Pulse.Usual / LooksInAPulse, time, stopping);
            if (next is not null && await Task.WhenAny(next, pause) == next)
            {
                Pulse.Beat();
                return await next;
            }

            await pause;
            Pulse.Beat();
            if (next is null || !listener.IsInPlace)
            {
                next = await OpenAgainAsync(listener, next, isSaid, stopping);
                isSaid = next is null;
            }
        }
    }

    // Null where a full disk, or a directory that is gone, keeps the socket from being made; each look tries again.
    private async Task<Task<Socket>?> OpenAgainAsync(
        ControlListener listener, Task<Socket>? last, bool isSaid, CancellationToken stopping)
    {
        try
        {
            listener.Open();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or SocketException or ConfigurationException)
        {
            if (!isSaid)
            {
                LogSocketMissing(listener.File, fault.Message);
            }

            return null;
        }

        LogSocketMadeAgain(listener.File);
        if (last is not null)
        {
            await Task.WhenAny(last); // The old socket is closed: it ends, as a rule with an exception.
        }

        return last is { IsCompletedSuccessfully: true } ? last : listener.AcceptAsync(stopping);
    }

    [SuppressMessage("Design", "CA1031", Justification = "One caller's broken request must not take the socket away from the others.")]
    private async Task ServeAsync(Socket client, Caller caller, Action done, CancellationToken stopping)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var alarm = time.CancelAfter(limited, Patience);
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

        return OutsideJson.Read(buffer.AsSpan(0, buffer.AsSpan(0, length).IndexOf((byte)'\n')), ControlJson.Default.ControlRequest);
    }

    [LoggerMessage(EventIds.ControlReady, LogLevel.Debug, "listening on {Socket}", EventName = "ControlReady")]
    private partial void LogControlReady(string socket);

    [LoggerMessage(EventIds.ControlSocketMadeAgain, LogLevel.Warning, "{Socket} had been removed and is there again; look what cleans that directory", EventName = "ControlSocketMadeAgain")]
    private partial void LogSocketMadeAgain(string socket);

    [LoggerMessage(EventIds.ControlSocketMissing, LogLevel.Error, "{Socket} is missing and cannot be made: {Message}; commands do not get through, agents and hub do", EventName = "ControlSocketMissing")]
    private partial void LogSocketMissing(string socket, string message);

    [LoggerMessage(EventIds.ControlRequestFailed, LogLevel.Warning, "a request on the control socket failed: {Message}; the socket stays open", EventName = "ControlRequestFailed")]
    private partial void LogRequestFailed(string message);
}
