using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;

namespace FleetSidecar.Forge;

/// <summary>One question to the forge: bounded in time and size, the token to the configured place alone, no redirection followed.</summary>
internal sealed class ForgeClient(ForgeOptions options, Redactor redactor, TimeProvider time) : IDisposable
{
    private const int LargestAnswer = 4 * 1024 * 1024, LargestToken = 4096, LongestQuote = 200, DeepestAnswer = 32;

    private readonly HttpClient _http = new(OneOrigin.OutsideHandler(new Uri(options.Api)))
    {
        Timeout = Timeout.InfiniteTimeSpan, // Counted here, with the body.
    };

    private readonly Uri _base = new(options.Api.TrimEnd('/') + "/");

    /// <param name="method">GET or POST.</param>
    /// <param name="path">Below the interface's beginning, without a leading slash.</param>
    /// <param name="body">JSON, or null.</param>
    /// <param name="limit">Longest time for all of it.</param>
    /// <param name="token">Ends it.</param>
    public async Task<ForgeReply> AskAsync(HttpMethod method, string path, byte[]? body, TimeSpan limit, CancellationToken token)
    {
        if (ReadToken() is not { } secret)
        {
            return ForgeFaults.NoToken(options.TokenFile);
        }

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, limit);
        try
        {
            using var request = Describe(method, path, body, secret);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limited.Token);
            return Judge(response, await ReadAsync(response, limited.Token));
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or SocketException or OperationCanceledException && !token.IsCancellationRequested)
        {
            return new ForgeReply.NotNow(fault is OperationCanceledException ? $"no answer within {limit}" : Printable.Cut(redactor.Clean(fault.Message), LongestQuote), null);
        }
    }

    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Describe(HttpMethod method, string path, byte[]? body, Secret secret)
    {
        var request = new HttpRequestMessage(method, new Uri(_base, path));
        request.Headers.Authorization = new AuthenticationHeaderValue(options.Kind == ForgeKind.Gitea ? "token" : "Bearer", secret.Reveal());
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("fleet-sidecar", ProgramVersion.Text.Split('+')[0]));
        request.Headers.Accept.ParseAdd(options.Kind == ForgeKind.Gitea ? "application/json" : "application/vnd.github+json");
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        return request;
    }

    private ForgeReply Judge(HttpResponseMessage response, byte[]? body) => (int)response.StatusCode switch
    {
        >= 200 and < 300 when body is null => ForgeFaults.BadAnswer($"more than {LargestAnswer} bytes"),
        >= 200 and < 300 => Parse(body),
        >= 300 and < 400 => ForgeFaults.Redirected((int)response.StatusCode),
        401 => ForgeFaults.Unauthorized(401),
        429 or (403 and _) when IsLimited(response) => new ForgeReply.NotNow($"the forge asks for patience ({(int)response.StatusCode})", After(response)),
        403 => ForgeFaults.Forbidden(Said(body)),
        404 or 410 => ForgeFaults.NotFound(),
        409 or 422 => new ForgeReply.Conflict(Said(body)),
        408 or 425 or >= 500 => new ForgeReply.NotNow($"the forge answers with {(int)response.StatusCode}", After(response)),
        var other => ForgeFaults.BadAnswer($"status {other}{Said(body)}"),
    };

    // GitHub says "too many" with 403 as well.
    private static bool IsLimited(HttpResponseMessage response) => response.StatusCode == HttpStatusCode.TooManyRequests || response.Headers.RetryAfter is not null
        || (response.Headers.TryGetValues("x-ratelimit-remaining", out var left) && left.FirstOrDefault() == "0");

    private TimeSpan? After(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } span } => span,
        { Date: { } at } => at - time.GetUtcNow(),
        _ => null,
    };

    private static ForgeReply Parse(byte[] body) =>
        OutsideJson.Element(body) is { } answer ? new ForgeReply.Answered(answer) : ForgeFaults.BadAnswer("it is no JSON");

    // The message alone, never the whole answer: it is for a log line.
    private string Said(byte[]? body) => body is not null && Parse(body) is ForgeReply.Answered { Body: { ValueKind: JsonValueKind.Object } said }
        && said.TryGetProperty("message", out var message) && message.ValueKind == JsonValueKind.String
            ? string.Create(CultureInfo.InvariantCulture, $": {Printable.Cut(redactor.Clean(message.GetString()!), LongestQuote)}") : "";

    private static async Task<byte[]?> ReadAsync(HttpResponseMessage response, CancellationToken token)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(token);
        using var kept = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int count;
        while ((count = await stream.ReadAsync(buffer, token)) > 0)
        {
            if (kept.Length + count > LargestAnswer)
            {
                return null;
            }

            kept.Write(buffer, 0, count);
        }

        return kept.ToArray();
    }

    private Secret? ReadToken()
    {
        var text = OutsideFile.Read(options.TokenFile, LargestToken, followLink: true) is { } bytes ? OutsideText.Decode(bytes).Trim() : "";
        if (text.Length == 0 || !text.All(letter => letter is > ' ' and < '\u007f'))
        {
            return null;
        }

        redactor.Learn(text);
        return new Secret(text);
    }
}
