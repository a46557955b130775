using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Ground.Processes;

/// <summary>The process at the other end of a unix socket, as it was when it connected; see unix(7).</summary>
public static partial class PeerProcess
{
    private const int SocketLevel = 1, PeerCredentials = 17, PeerHandle = 77; // SOL_SOCKET, SO_PEERCRED, SO_PEERPIDFD
    private const short HasEnded = 1; // POLLIN: how a pidfd says it, see pidfd_open(2)

    /// <summary>Its number.</summary>
    public static int Of(Socket client)
    {
        var credentials = new byte[3 * sizeof(int)]; // pid, user, group
        _ = client.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return BitConverter.ToInt32(credentials);
    }

    /// <summary>Whether it has ended, so that its number may be another process's. What was read about the number before is true of the
    /// process where this says no. Kernels before 6.5 cannot tell: no.</summary>
    public static bool MayHaveEnded(Socket client)
    {
        var handle = new byte[sizeof(int)];
        try
        {
            _ = client.GetRawSocketOption(SocketLevel, PeerHandle, handle);
        }
        catch (SocketException unknown) when (unknown.SocketErrorCode is SocketError.ProtocolOption or SocketError.OperationNotSupported)
        {
            return false;
        }
        catch (SocketException)
        {
            return true;
        }

        using var process = new SafeFileHandle(BitConverter.ToInt32(handle), ownsHandle: true);
        var asked = new Asked { Handle = (int)process.DangerousGetHandle(), Events = HasEnded };
        return Poll(ref asked, 1, 0) != 0;
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref Asked asked, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct Asked
    {
        public int Handle;
        public short Events;
        public short Answer;
    }
}
