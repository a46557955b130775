using System.Net.Sockets;
using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;

namespace FleetSidecar.Control;

/// <summary>The daemon does not answer on its socket.</summary>
internal sealed class DaemonUnavailableException(string message, string hint, Exception? inner = null) : SidecarException(message, hint, inner);

/// <summary>Asks the daemon one question.</summary>
internal static class ControlClient
{
    private const int LargestAnswer = 16 * 1024 * 1024; // Fifty runs with everything about them are a tenth of it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <exception cref="DaemonUnavailableException">Nobody listens, or the answer did not come.</exception>
    public static async Task<ControlResponse> AskAsync(string socketFile, ControlRequest request, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        limited.CancelAfter(Patience);
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketFile), limited.Token);
            await using var stream = new NetworkStream(socket);
            await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(request, ControlJson.Default.ControlRequest), limited.Token);
            stream.WriteByte((byte)'\n');
            using var answer = new MemoryStream();
            var part = new byte[64 * 1024];
            for (int count; (count = await stream.ReadAsync(part, limited.Token)) > 0; answer.Write(part, 0, count))
            {
                if (answer.Length > LargestAnswer)
                {
                    throw new IOException("what answers there does not stop");
                }
            }

            if (answer.Length == 0)
            {
                throw new IOException("the connection was closed without an answer");
            }

            var response = OutsideJson.Read(answer.GetBuffer().AsSpan(0, (int)answer.Length).TrimEnd((byte)'\n'), ControlJson.Default.ControlResponse, out var problem)
                ?? throw new JsonException(problem);
            return Missing(request, response) is { } missing ? throw new JsonException($"what answers there says no '{missing}'") : response;
        }
        catch (Exception fault) when (fault is SocketException or IOException or JsonException or OperationCanceledException or ArgumentException
            && !token.IsCancellationRequested)
        {
            var why = !File.Exists(socketFile) ? "there is no such socket" : fault.Message;
            throw new DaemonUnavailableException($"no fleet-sidecar answers on {socketFile}: {why}",
                "is it running ('systemctl status fleet-sidecar'), and may you use its socket?", fault);
        }
    }

    // Another program may have the socket, or a sidecar of another version.
    private static string? Missing(ControlRequest request, ControlResponse response) => (response.Ok, request.Verb) switch
    {
        (false, _) => response.Error is null ? "error" : null,
        (_, "status") => response.Status is null ? "status" : null,
        (_, "runs") => response.Runs is null ? "runs" : null,
        (_, "run") => response.Runs is null or [] ? "runs" : null,
        (_, "doctor") => response.Doctor is null ? "doctor" : null,
        (_, "reload") => response.Reload is null ? "reload" : null,
        (_, "supervise") => response.Members is null && request.Action is null ? "members" : null,
        _ => null,
    };
}
