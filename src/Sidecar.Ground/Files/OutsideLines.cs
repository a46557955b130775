using System.Text;

namespace FleetSidecar.Ground.Files;

/// <summary>
/// The lines of a file that another program wrote, of whatever length, to where it ends when a walk begins, in bounded memory.
/// </summary>
/// <remarks>
/// A line above <see cref="LongestLine"/> is passed over whole, because half of a record says nothing that could be
/// relied on; <see cref="LongestPassedOver"/> tells of it.
/// </remarks>
public sealed class OutsideLines(Func<Stream?> open)
{
    /// <summary>Longest line that is given out, in bytes: 8 MiB.</summary>
    public const int LongestLine = 8 * 1024 * 1024;

    private const int Block = 64 * 1024, Largest = LongestLine + Block;
    private const long MostTranslated = 1L << 30;

    /// <summary>Length of the longest line that was passed over, in bytes; 0 while there was none.</summary>
    public long LongestPassedOver { get; private set; }

    /// <summary>How many parts of the output were not read on this walk so far: lines that are too long, or the rest after too much that could not be read.</summary>
    public int Unread { get; private set; }

    /// <summary>How many lines held something that is no text, as those found who read them.</summary>
    public int Repaired { get; private set; }

    /// <summary>
    /// The lines of a file; none where it cannot be read, or a link, a pipe or a device is in its place.
    /// </summary>
    public static OutsideLines Of(string path) => new(() => OutsideFile.Stream(path));

    /// <summary>
    /// From the beginning each time. The bytes are those of the file without the line break, and valid until the next
    /// line is asked for.
    /// </summary>
    public IEnumerable<ReadOnlyMemory<byte>> Read()
    {
        using var stream = Open();
        Unread = 0;
        var buffer = new byte[Block];
        var (start, end, passedOver) = (0, 0, 0L);
        for (var left = LengthOf(stream); stream is not null && left > 0;)
        {
            var count = ReadSome(stream, buffer.AsSpan(end)[..(int)Math.Min(left, buffer.Length - end)]);
            left -= count;
            if (count == 0)
            {
                break;
            }

            var seen = end;
            end += count;
            while (buffer.AsSpan(seen, end - seen).IndexOf((byte)'\n') is >= 0 and var step)
            {
                seen += step;
                if (passedOver > 0 || seen - start > LongestLine)
                {
                    PassOver(passedOver + seen - start);
                    passedOver = 0;
                }
                else
                {
                    yield return buffer.AsMemory(start, seen - start);
                }

                start = ++seen;
            }

            if (passedOver > 0 || end - start > LongestLine)
            {
                (passedOver, start, end) = (passedOver + end - start, 0, 0);
            }

            (buffer, start, end) = MakeRoom(buffer, start, end);
        }

        if (passedOver > 0)
        {
            PassOver(passedOver);
        }
        else if (end > start)
        {
            yield return buffer.AsMemory(start, end - start);
        }
    }

    /// <summary>
    /// The end of the file from the beginning of a line on: as many whole lines as fit into <see
    /// cref="LongestLine"/>.
    /// </summary>
    public byte[] ReadEnd()
    {
        using var stream = Open();
        try
        {
            if (stream is not { CanSeek: true })
            {
                return [];
            }

            // One byte more, which shows whether the part begins with a line.
            var length = (int)Math.Min(stream.Length, LongestLine + 1L);
            var isWhole = length <= LongestLine;
            stream.Seek(-length, SeekOrigin.End);
            var bytes = new byte[length];
            var read = bytes[..stream.ReadAtLeast(bytes, length, throwOnEndOfStream: false)];
            var first = read.AsSpan().IndexOf((byte)'\n');
            return isWhole ? read : read[(first < 0 ? read.Length : first + 1)..];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>Says that the rest is not going to be read.</summary>
    public void GiveUp() => Unread++;

    /// <summary>Counts a line that held something that is no text.</summary>
    public void CountRepaired() => Repaired++;

    private void PassOver(long length) => (LongestPassedOver, Unread) = (Math.Max(LongestPassedOver, length), Unread + 1);

    private static (byte[] Buffer, int Start, int End) MakeRoom(byte[] buffer, int start, int end)
    {
        var kept = buffer.AsSpan(start, end - start);
        var isNarrow = kept.Length > buffer.Length / 2 && buffer.Length < Largest;
        var room = isNarrow ? new byte[Math.Min(2 * buffer.Length, Largest)] : buffer;
        kept.CopyTo(room);
        return (room, 0, kept.Length);
    }

    // Another program may write faster than we read. A stream that is translated from UTF-16 has another length than its file.
    private static long LengthOf(Stream? stream) => stream is { CanSeek: true } ? stream.Length : MostTranslated;

    // What a disk cannot give is the end, as a file that was cut there.
    private static int ReadSome(Stream stream, Span<byte> room)
    {
        try
        {
            return stream.Read(room);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    // A file in UTF-16 has NUL bytes between its letters and no line break of one byte.
    private Stream? Open()
    {
        if (open() is not { } stream)
        {
            return null;
        }

        Span<byte> mark = stackalloc byte[2];
        var count = stream.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false);
        stream.Seek(-count, SeekOrigin.Current);
        return mark switch
        {
            [0xFF, 0xFE] => Encoding.CreateTranscodingStream(stream, Encoding.Unicode, Encoding.UTF8),
            [0xFE, 0xFF] => Encoding.CreateTranscodingStream(stream, Encoding.BigEndianUnicode, Encoding.UTF8),
            _ => stream,
        };
    }
}
