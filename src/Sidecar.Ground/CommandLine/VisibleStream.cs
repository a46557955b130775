using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Bytes of any kind on their way to a terminal: read as UTF-8, shown by <see cref="Visible"/>.</summary>
/// <remarks>A character, or a carriage return and its line feed, that is cut between two writes is put together. What
/// is not UTF-8 becomes U+FFFD.</remarks>
public sealed class VisibleStream(Action<string> write) : WriteOnlyStream
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private bool _holdsReturn;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var letters = new char[Encoding.UTF8.GetMaxCharCount(buffer.Length)];
        Show(new string(letters, 0, _decoder.GetChars(buffer, letters, flush: false)));
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer, offset, count);
        return Task.CompletedTask;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            var letters = new char[4];
            var rest = new string(letters, 0, _decoder.GetChars([], letters, flush: true));
            write(Visible.Text((_holdsReturn ? "\r" : "") + rest));
            _holdsReturn = false;
        }

        base.Dispose(disposing);
    }

    private void Show(string text)
    {
        text = _holdsReturn ? "\r" + text : text;
        _holdsReturn = text.EndsWith('\r');
        write(Visible.Text(_holdsReturn ? text[..^1] : text));
    }
}
