using System.Net.Sockets;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Control;

/// <summary>
/// One unix socket and the file that leads to it, which can be made again where it was removed: a cleaner of old files,
/// or a hand, would otherwise shut everybody out until the next start.
/// </summary>
/// <param name="file">The file.</param>
/// <param name="isOwnPlace">What else stands there may be renamed; a place that the operator named is not ours to clear.</param>
/// <param name="mode">Who may connect.</param>
/// <param name="backlog">Connections that wait.</param>
internal sealed class ControlListener(string file, bool isOwnPlace, UnixFileMode mode, int backlog) : IDisposable
{
    private Socket? _socket;

    /// <summary>The file.</summary>
    public string File => file;

    /// <summary>Whether it was made, at the start or since.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Whether a socket stands in the file's place, for everybody whom it is for; no other program listens there while we run.</summary>
    public bool IsInPlace => PathFacts.Of(file) is { Kind: PathKind.Socket } facts && facts.Mode == mode;

    /// <summary>
    /// Opens the socket, or closes it and opens it again. A file there was left by a crash: the lock on the state
    /// directory says so.
    /// </summary>
    /// <exception cref="ConfigurationException">Something else than a socket stands there, in a place that the operator named.</exception>
    /// <exception cref="IOException">The file cannot be made; the socket is closed.</exception>
    /// <exception cref="SocketException">The file cannot be made; the socket is closed.</exception>
    public void Open()
    {
        IsOpen = false;
        PutAside(); // First: a socket that is closed removes its file, whatever stands there by then.
        _socket?.Dispose();
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        System.IO.File.Delete(file);
        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _socket.Bind(new UnixDomainSocketEndPoint(file));
        System.IO.File.SetUnixFileMode(file, mode);
        _socket.Listen(backlog);
        IsOpen = true;
    }

    private void PutAside()
    {
        if (PathFacts.Of(file) is not { Kind: not PathKind.Socket } facts)
        {
            return;
        }

        if (!isOwnPlace)
        {
            throw new ConfigurationException($"control.socket: {file} exists and is no socket", "remove it if nobody needs it, or name another path");
        }

        ClearPlace.Rename(file, facts);
    }

    /// <summary>The next connection.</summary>
    public Task<Socket> AcceptAsync(CancellationToken stopping) => _socket!.AcceptAsync(stopping).AsTask();

    public void Dispose()
    {
        _socket?.Dispose();
        try
        {
            if (PathFacts.Of(file) is { Kind: PathKind.Socket })
            {
                System.IO.File.Delete(file);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The next start replaces it.
        }
    }
}
