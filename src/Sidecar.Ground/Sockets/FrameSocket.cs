using System.Buffers;
using System.Net.WebSockets;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Sockets;

/// <summary>One WebSocket with what the framework leaves out: a limit before parsing, one sender at a time, and a time limit for sending.</summary>
/// <remarks>Holds no buffer while nothing arrives: the first read of a frame is empty and only waits. One reader at a time.</remarks>
public sealed class FrameSocket(WebSocket socket, TimeSpan sendLimit, TimeProvider time) : IDisposable
{
    private const int FirstBuffer = 4096;

    // A peer that goes on past this is not sending a frame, it is filling a pipe.
    private const long MostDiscarded = 64 * 1024 * 1024;
    private const int MostEmpty = 10_000;

    private readonly SemaphoreSlim _turn = new(1);
    private byte[]? _buffer;

    /// <summary>The close code and text of the peer; 1006 where it went without a word.</summary>
    public string CloseReason => $"{(int?)socket.CloseStatus ?? 1006} {socket.CloseStatusDescription}".Trim();

    /// <exception cref="WebSocketException">The connection is gone, or took nothing for the time limit.</exception>
    public async Task SendAsync(ReadOnlyMemory<byte> frame, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, sendLimit);
        try
        {
            await _turn.WaitAsync(limited.Token);
            try
            {
                await socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, limited.Token);
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            throw new WebSocketException($"nothing could be sent for {sendLimit}");
        }
    }

    /// <summary>The next frame, or null when the peer closed. The bytes are valid until the next call.</summary>
    public Task<ReceivedFrame?> ReceiveAsync(CancellationToken token) => ReceiveAsync(WireLimits.MaxFrameBytes, token);

    /// <summary>The first frame of a peer that has not identified: nothing above the limit is read, so the connection must end after a refusal.</summary>
    public Task<ReceivedFrame?> ReceiveFirstAsync(CancellationToken token) => ReceiveAsync(WireLimits.MaxFirstFrameBytes, token);

    // A peer that never pauses never lets the framework's read return to its caller, which would not look at its clock any more.
    private async Task<ReceivedFrame?> ReceiveAsync(int most, CancellationToken token)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var abort = token.UnsafeRegister(static socket => ((WebSocket)socket!).Abort(), socket);
        Return();
        var first = await socket.ReceiveAsync(Memory<byte>.Empty, token);
        if (first.MessageType == WebSocketMessageType.Close)
        {
            return null;
        }

        var buffer = _buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        var (length, empty) = (0, 0);
        while (true)
        {
            token.ThrowIfCancellationRequested();
            var part = await socket.ReceiveAsync(buffer.AsMemory(length), token);
            empty += part.Count == 0 ? 1 : 0;
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            length += part.Count;
            if (part.EndOfMessage)
            {
                return length > most ? TooLarge(length, most) : new ReceivedFrame(buffer.AsMemory(0, length),
                    part.MessageType == WebSocketMessageType.Text ? null : new Refusal(RefusalCode.NotText, "a binary frame"));
            }

            if (empty > MostEmpty)
            {
                throw new WebSocketException("a frame of parts without content");
            }

            if (length > most)
            {
                return most == WireLimits.MaxFrameBytes ? await DiscardAsync(buffer, length, token) : TooLarge(length, most);
            }

            buffer = length == buffer.Length ? Grow(buffer, length, most) : buffer;
        }
    }

    /// <summary>Says goodbye; a peer that is already gone is not an error.</summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason, CancellationToken token)
    {
        try
        {
            await socket.CloseOutputAsync(status, reason, token);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
        }
    }

    /// <summary>Ends the connection at once; whoever reads or sends gets an exception.</summary>
    public void Abort() => socket.Abort();

    public void Dispose()
    {
        socket.Dispose();
        Return();
        _turn.Dispose();
    }

    private void Return()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static ReceivedFrame TooLarge(long length, int most) => new(default, new Refusal(RefusalCode.TooLarge, $"{length} bytes; the limit is {most}"));

    private byte[] Grow(byte[] buffer, int length, int most)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Min(length * 2, most + FirstBuffer));
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return _buffer = larger;
    }

    private async Task<ReceivedFrame?> DiscardAsync(byte[] buffer, long length, CancellationToken token)
    {
        while (length < MostDiscarded)
        {
            token.ThrowIfCancellationRequested();
            var part = await socket.ReceiveAsync(buffer.AsMemory(), token);
            length += part.Count + 1; // Parts without content count too.
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            if (part.EndOfMessage)
            {
                return TooLarge(length, WireLimits.MaxFrameBytes);
            }
        }

        throw new WebSocketException($"a frame without end, {length} bytes so far");
    }
}

/// <summary>A frame as it came, or why it was not taken.</summary>
public readonly record struct ReceivedFrame(ReadOnlyMemory<byte> Bytes, Refusal? Refusal);
