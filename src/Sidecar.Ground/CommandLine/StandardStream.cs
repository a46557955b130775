using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Standard output or error by write(2).</summary>
/// <remarks>
/// The framework's own stream sets up its console with the first byte: it sends a terminal the sequence that changes the
/// keypad, before an answer in JSON too, and leaves the terminal so. A file stream would keep a position of its own, and
/// overwrite what the other of the two wrote into the same file.
/// </remarks>
internal sealed partial class StandardStream(int descriptor) : WriteOnlyStream
{
    public const int Output = 1, Error = 2;

    private const int Interrupted = 4, Again = 11; // EINTR, EAGAIN
    private const short Writable = 4; // POLLOUT
    private const nuint WindowSize = 0x5413; // TIOCGWINSZ

    /// <exception cref="IOException">The reader is gone, or the disk is full.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var written = Write(descriptor, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    break;
                case Again:
                    // Another program has made the terminal one that does not wait.
                    var wanted = new Wanted { Descriptor = descriptor, Events = Writable };
                    _ = Poll(ref wanted, 1, Timeout.Infinite);
                    break;
                default:
                    throw new IOException($"cannot write the answer: {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }
    }

    /// <summary>The width of the terminal, in characters, or null where it is none or does not tell.</summary>
    public int? Columns() => Control(descriptor, WindowSize, out var window) == 0 && window.Columns > 0 ? window.Columns : null;

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int descriptor, nuint request, out Window window);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, ReadOnlySpan<byte> buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref Wanted wanted, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct Wanted
    {
        public int Descriptor;
        public short Events;
        public short Found;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Window
    {
        public ushort Rows;
        public ushort Columns;
        public ushort Width;
        public ushort Height;
    }
}
