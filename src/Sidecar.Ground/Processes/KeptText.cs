using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Processes;

/// <summary>What is kept of a tool's output: the beginning up to a limit, and always the end.</summary>
internal sealed class KeptText(int room)
{
    private const int TailLength = 4096;

    private readonly Lock _turn = new();
    private readonly StringBuilder _head = new(), _tail = new();

    public string Head
    {
        get
        {
            lock (_turn)
            {
                return OutsideText.ReplaceHalves(_head.ToString());
            }
        }
    }

    public string Tail
    {
        get
        {
            lock (_turn)
            {
                return OutsideText.ReplaceHalves(_tail.Length > TailLength ? _tail.ToString(_tail.Length - TailLength, TailLength) : _tail.ToString());
            }
        }
    }

    /// <summary>Reads on past the limit: a pipe that nobody drains hangs the tool.</summary>
    public async Task FillAsync(StreamReader stream, CancellationToken token)
    {
        var buffer = new char[4096];
        int count;
        while ((count = await stream.ReadAsync(buffer, token)) > 0)
        {
            Keep(buffer.AsSpan(0, count));
        }
    }

    private void Keep(ReadOnlySpan<char> text)
    {
        lock (_turn)
        {
            _head.Append(text[..Math.Min(text.Length, room - _head.Length)]);
            _tail.Append(text);
            if (_tail.Length > 16 * TailLength)
            {
                _tail.Remove(0, _tail.Length - TailLength);
            }
        }
    }
}
