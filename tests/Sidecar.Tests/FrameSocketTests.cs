using System.Net.WebSockets;
using FleetSidecar.Ground.Sockets;

namespace FleetSidecar.Tests;

/// <summary>A peer that sends without a pause, and nothing that a frame could be made of.</summary>
[Trait("kind", "a read that never lets go of its thread")]
public sealed class FrameSocketTests
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    [Theory(Timeout = 120_000)]
    [InlineData(new byte[] { 0x8A, 0x01, 0x78 })] // A pong.
    [InlineData(new byte[] { 0x89, 0x01, 0x78 })] // A ping.
    public async Task Its_reader_can_do_other_things_and_ends_when_it_is_told(byte[] frame)
    {
        using var connection = WebSocket.CreateFromStream(new Flood(frame), new WebSocketCreationOptions { IsServer = false });
        using var socket = new FrameSocket(connection, LongestWait, TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

        var reading = await Task.Run(() => Task.FromResult(socket.ReceiveAsync(stop.Token))).WaitAsync(LongestWait, TestContext.Current.CancellationToken);

        await stop.CancelAsync();
        var end = await Record.ExceptionAsync(async () => await reading.WaitAsync(LongestWait, TestContext.Current.CancellationToken));
        Assert.True(end is OperationCanceledException or WebSocketException, end?.ToString());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_frame_of_parts_without_content_is_given_up()
    {
        using var connection = WebSocket.CreateFromStream(new Flood([0x00, 0x00], [0x01, 0x00]), new WebSocketCreationOptions { IsServer = false });
        using var socket = new FrameSocket(connection, LongestWait, TimeProvider.System);

        var end = await Assert.ThrowsAsync<WebSocketException>(async () => await socket.ReceiveAsync(TestContext.Current.CancellationToken).WaitAsync(LongestWait, TestContext.Current.CancellationToken));

        Assert.Equal("a frame of parts without content", end.Message);
    }

    /// <summary>The same bytes again and again, and never a wait.</summary>
    private sealed class Flood(byte[] frame, byte[]? first = null) : Stream
    {
        private byte[] _now = first ?? frame;
        private int _at;
        private bool _isClosed;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _isClosed), this);
            for (var index = 0; index < buffer.Length; index++)
            {
                buffer[index] = _now[_at++];
                if (_at == _now.Length)
                {
                    (_now, _at) = (frame, 0);
                }
            }

            return buffer.Length;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override void Write(byte[] buffer, int offset, int count)
        {
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            Volatile.Write(ref _isClosed, true);
            base.Dispose(disposing);
        }
    }
}
