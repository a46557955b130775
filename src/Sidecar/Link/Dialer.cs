using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;

namespace FleetSidecar.Link;

/// <summary>What dialling came to: an identified connection, or the way it ended.</summary>
internal sealed record DialResult(FrameSocket? Connection, HubMessage.Identified? Identified, LinkEnd? End);

/// <summary>Opens the socket and says who we are.</summary>
internal sealed class Dialer(SidecarConfig config, TokenFile tokens, Redactor redactor, TimeProvider time)
{
    private const long MostMillisecondsToWait = 3_600_000;
    private static readonly string[] RefusedCodes = ["invalid_token", "token_agent_mismatch", Superseded, SharedIdentity, "unauthorized"];
    private const string Superseded = "superseded", SharedIdentity = "identity_shared";

    // One name for the whole life of the process: a hub sees by it that a new connection is not a second machine.
    private readonly string _instanceId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    // A hub whose places for unknown callers are all taken asks for the token before it accepts a connection.
    private bool _hubAskedForToken;

    /// <summary>What stood in the way of a connection; the link's loop logs it.</summary>
    public ConcurrentQueue<string> Notes { get; } = new();

    private Early? _early;
    private Task<DialResult>? _first;

    /// <summary>Begins the first connection while the rest of the daemon is still being put together; nothing is said on it yet.</summary>
    public void StartEarly() => _early = Connect(CancellationToken.None);

    /// <summary>Identifies on that connection while the daemon gets its runs together; whoever dials first gets the result.</summary>
    public void IdentifyEarly(string statusWord) => _first = Task.Run(() => DialOnceAsync(statusWord, CancellationToken.None));

    public Task<DialResult> DialAsync(string statusWord, CancellationToken token) =>
        Interlocked.Exchange(ref _first, null) is { } first ? first.WaitAsync(token) : DialOnceAsync(statusWord, token);

    private async Task<DialResult> DialOnceAsync(string statusWord, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, config.Hub.ConnectTimeout);
        var (socket, connecting) = Interlocked.Exchange(ref _early, null) ?? Connect(limited.Token);
        var kept = false;
        try
        {
            await connecting.WaitAsync(limited.Token);
            if (LocalListener.Complaint(new Uri(config.Hub.Url)) is { } complaint)
            {
                return End(new LinkEnd.Lost(complaint)); // Looked at while connected: whoever has the port now is whom we would tell the token.
            }

            var result = await IdentifyAsync(socket, statusWord, limited.Token);
            kept = result.Connection is not null;
            return result;
        }
        catch (WebSocketException fault)
        {
            if (LocalListener.Complaint(new Uri(config.Hub.Url)) is { } complaint)
            {
                return End(new LinkEnd.Lost(complaint));
            }

            _hubAskedForToken = AsksForToken(socket);
            return End(FromUpgrade(socket, fault));
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return End(new LinkEnd.Lost($"no answer within {config.Hub.ConnectTimeout}"));
        }
        catch (SidecarException fault)
        {
            return End(new LinkEnd.Refused($"{fault.Message}; {fault.Hint}"));
        }
        finally
        {
            if (!kept)
            {
                socket.Dispose();
            }
        }
    }

    private async Task<DialResult> IdentifyAsync(ClientWebSocket socket, string statusWord, CancellationToken token)
    {
        var secret = tokens.Read();
        var connection = new FrameSocket(socket, config.Hub.PongTimeout, time);
        await connection.SendAsync(
            Frame.Write(new SidecarMessage.Identify
            {
                AgentId = config.Agent.Id,
                Token = secret.Reveal(),
                Name = config.Agent.Name ?? config.Agent.Id,
                Status = statusWord,
                Capabilities = config.Agent.Capabilities,
                ClientType = "fleet-sidecar",
                ClientVersion = ProgramVersion.Text,
                ProtocolVersion = config.Hub.ProtocolVersion,
                InstanceId = _instanceId,
            }),
            token);

        // AgentCom broadcasts presence; what is not the answer is not for us yet.
        while (await connection.ReceiveAsync(token) is { } frame)
        {
            if (frame.Refusal is null && Frame.TryRead(frame.Bytes.Span, out HubMessage? message, out _))
            {
                switch (message)
                {
                    case HubMessage.Identified identified:
                        return new DialResult(connection, identified, null);
                    case HubMessage.Error error when RefusedCodes.Contains(error.Code):
                        connection.Dispose();
                        var text = error.Hint is null ? error.Code : $"{error.Code}: {error.Hint}";
                        return End(new LinkEnd.Refused(text, Superseded: error.Code is SharedIdentity or Superseded, RetryIn(text)));
                    case HubMessage.RateLimited limited:
                        connection.Dispose();
                        return End(new LinkEnd.Lost("rate limited", TimeSpan.FromMilliseconds(Math.Clamp(limited.RetryAfterMs ?? 1000, 0, MostMillisecondsToWait))));
                    case HubMessage.Error error:
                        connection.Dispose();
                        return End(new LinkEnd.Lost($"the hub answered {error.Code}"));
                }
            }
        }

        var reason = connection.CloseReason;
        connection.Dispose();
        return End(new LinkEnd.Lost($"closed before identified: {reason}", RetryIn(reason)));
    }

    private Early Connect(CancellationToken token)
    {
        var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.Zero; // Our own heartbeat is the liveness check, and version 1 needs it anyway.
        var asked = _hubAskedForToken;
        _hubAskedForToken = false;
        if (asked && LocalListener.Complaint(new Uri(config.Hub.Url)) is null && TryToken() is { } secret)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {secret.Reveal()}");
        }

        return new Early(socket, Task.Run(() => ConnectAsync(socket, token), CancellationToken.None));
    }

    private Task ConnectAsync(ClientWebSocket socket, CancellationToken token)
    {
        var address = new Uri(config.Hub.Url);
        foreach (var note in address.Scheme == "wss" ? CertificateStores.Repair(Environment.GetEnvironmentVariable("HOME")) : [])
        {
            Notes.Enqueue(note);
        }

        return OneOrigin.ConnectAsync(socket, address, Proxy(), token);
    }

    private Secret? TryToken()
    {
        try
        {
            return tokens.Read();
        }
        catch (SidecarException)
        {
            return null; // Said when the connection is there and the token is needed.
        }
    }

    private IWebProxy? Proxy() =>
        TunnelProxy.Of(config.Hub.Proxy, config.Hub.ProxyCredentialsFile is { } file ? CredentialPath.Of(file) : null, redactor);

    // The token goes to whom it is for: a hub that has no place left for callers that it does not know. Never because of a redirection.
    private static bool AsksForToken(ClientWebSocket socket) => socket.HttpStatusCode == HttpStatusCode.ServiceUnavailable
        && socket.HttpResponseHeaders?.Any(header => header.Key.Equals("WWW-Authenticate", StringComparison.OrdinalIgnoreCase) && header.Value.Any(value => value.StartsWith("Bearer", StringComparison.OrdinalIgnoreCase))) == true;

    private LinkEnd FromUpgrade(ClientWebSocket socket, WebSocketException fault) => socket.HttpStatusCode switch
    {
        _ when OneOrigin.RedirectionOf(socket, new Uri(config.Hub.Url)) is { } elsewhere => new LinkEnd.Redirected(Words(elsewhere)),
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new LinkEnd.Refused($"the hub answered {(int)socket.HttpStatusCode}"),
        0 => new LinkEnd.Lost(Session.Cause(fault)),
        var status => new LinkEnd.Lost($"the hub answered {(int)status}", RetryAfter(socket.HttpResponseHeaders)),
    };

    private static string Words(Redirection elsewhere) => $"the hub's address {elsewhere.Words}, which is not followed"
        + (elsewhere.SocketAddress is { } address ? $"; set hub.url to {address} if that is right" : "");

    /// <summary>Seconds or a date, as in RFC 9110 section 10.2.3.</summary>
    private TimeSpan? RetryAfter(IReadOnlyDictionary<string, IEnumerable<string>>? headers)
    {
        var text = headers?.FirstOrDefault(header => header.Key.Equals("Retry-After", StringComparison.OrdinalIgnoreCase)).Value?.FirstOrDefault();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds)
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date) && date > time.GetUtcNow() ? date - time.GetUtcNow()
            : null;
    }

    /// <summary>AgentCom's cool-down: <c>1008 cooldown active: retry in 30s</c>.</summary>
    public static TimeSpan? RetryIn(string closeReason)
    {
        var at = closeReason.IndexOf("retry in ", StringComparison.Ordinal);
        var digits = at < 0 ? "" : new string([.. closeReason[(at + 9)..].TakeWhile(char.IsAsciiDigit).Take(6)]);
        return digits.Length > 0 ? TimeSpan.FromSeconds(int.Parse(digits, CultureInfo.InvariantCulture)) : null;
    }

    private static DialResult End(LinkEnd end) => new(null, null, end);

    private sealed record Early(ClientWebSocket Socket, Task Connecting);
}
