using System.CommandLine;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FleetHub.Tokens;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;

namespace FleetHub.Cli;

/// <summary>The hub does not answer.</summary>
internal sealed class HubUnavailableException(string message, string hint, Exception? inner = null) : SidecarException(message, hint, inner);

/// <summary>Talks to a hub's API: with a token file to any hub, or with <c>--data</c> to the one on this machine.</summary>
internal static class HubClient
{
    public static readonly Option<string> Hub = new("--hub") { Description = "Address of the hub, with --token-file", HelpName = "URL" };
    public static readonly Option<string> TokenFile = new("--token-file") { Description = "File with an operator's token (or FLEET_HUB_TOKEN_FILE); without it --data is used", HelpName = "FILE" };

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), LocalTokenLife = TimeSpan.FromMinutes(1);

    public static async Task<TAnswer> AskAsync<TAnswer, TBody>(
        ParseResult arguments, HttpMethod method, string path, TBody? body, JsonTypeInfo<TBody>? bodyShape, JsonTypeInfo<TAnswer> shape, CancellationToken token)
        where TAnswer : class
    {
        var (address, secret) = await TargetAsync(arguments, token);
        if (LocalListener.Complaint(address) is { } complaint)
        {
            throw new HubUnavailableException(complaint, "stop the agent that has it ('ss -ltnp'), then the hub can start");
        }

        using var client = new HttpClient(OneOrigin.Handler()) { BaseAddress = address, Timeout = Patience };
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        if (bodyShape is not null)
        {
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body!, bodyShape));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        try
        {
            using var response = await client.SendAsync(request, token);
            var bytes = await response.Content.ReadAsByteArrayAsync(token);
            if (OneOrigin.RedirectionOf(response.StatusCode, new Uri(address, path), response.Headers.Location?.OriginalString) is { } elsewhere)
            {
                throw new SidecarException($"the hub's address {elsewhere.Words}, which is not followed", "name the hub's own address with --hub");
            }

                        return response.IsSuccessStatusCode ? OutsideJson.Read(bytes, shape, out var problem) ?? throw new JsonException(problem) : throw Explain((int)response.StatusCode, bytes);
        }
        catch (Exception fault) when (fault is HttpRequestException or JsonException || (fault is TaskCanceledException && !token.IsCancellationRequested))
        {
            throw new HubUnavailableException($"no hub answers at {address}: {fault.Message}", "is 'fleet-hub serve' running there?", fault);
        }
    }

    private static SidecarException Explain(int status, byte[] body)
    {
        var error = OutsideJson.Read(body, HubJson.Compact.ApiError);
        return new SidecarException($"the hub answered {status} {error?.Error}".TrimEnd(), error?.Detail ?? "see docs/protocol.md");
    }

    private static async Task<(Uri Address, string Token)> TargetAsync(ParseResult arguments, CancellationToken token)
    {
        var file = arguments.GetValue(TokenFile) ?? Environment.GetEnvironmentVariable("FLEET_HUB_TOKEN_FILE");
        if (file is not null)
        {
            var given = arguments.GetValue(Hub) ?? "http://127.0.0.1:7070";
            return Uri.TryCreate(given, UriKind.Absolute, out var named) && named.Scheme is "http" or "https"
                ? (new Uri(given), (await File.ReadAllTextAsync(file, token)).Trim())
                : throw new UsageException($"'{given}' is not an address", "for example --hub http://127.0.0.1:7070");
        }

        var data = arguments.GetValue(HubStore.Data)!;
        var addressFile = Path.Combine(data, "address");
        if (!File.Exists(addressFile))
        {
            throw new HubUnavailableException($"no hub has served from {data}", "start one with 'fleet-hub serve --data DIR', or name another with --hub and --token-file");
        }

        // Whoever may write the hub's file is its operator already; a token for a minute saves a token at rest.
        using var store = HubStore.OpenForCommand(data);
        var secret = await new TokenStore(store, TimeProvider.System).CreateAsync("local-command", TokenStore.Operator, LocalTokenLife);
        var address = (await File.ReadAllTextAsync(addressFile, token)).Trim()
            .Replace("[::]", "127.0.0.1", StringComparison.Ordinal).Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);
        return (new Uri(address), secret);
    }
}
