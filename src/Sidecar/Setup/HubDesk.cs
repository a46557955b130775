using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;

namespace FleetSidecar.Setup;

/// <summary>No hub answers there. Exit code 69.</summary>
internal sealed class HubUnreachableException(string message, string hint, Exception? inner = null) : SidecarException(message, hint, inner);

/// <summary>The part of the hub that takes in new machines: register, who am I, prove. Bounded in time and size; no redirection is followed.</summary>
internal sealed class HubDesk(SetupRequest request) : IDisposable
{
    private const int LargestAnswer = 256 * 1024, LongestQuote = 200;

    private readonly HttpClient _http = new(OneOrigin.Handler(TunnelProxy.Of(request.Proxy, request.ProxyCredentialsFile, new Redactor())))
    {
        Timeout = TimeSpan.FromSeconds(20), MaxResponseContentBufferSize = LargestAnswer,
    };

    /// <summary>Registers the agent; its token.</summary>
    /// <exception cref="SidecarException">The key is wrong, or the id is taken.</exception>
    public async Task<string> RegisterAsync(string key, CancellationToken token)
    {
        var answer = await AskAsync(HttpMethod.Post, "api/onboard/register", key, new DeskBody(request.AgentId), DeskJson.Default.DeskRegistered, token);
        return answer switch
        {
            { Status: 201, Value.Token: { Length: > 0 and <= WireLimits.MaxToken } made } when !made.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)) => made,
            { Status: 409 } => throw new SidecarException($"the hub has an agent '{request.AgentId}' already",
                $"choose another --agent, or, if it is this machine (an earlier setup was cut short), let the hub's operator run 'fleet-hub token create {request.AgentId}' and give its output with --token-file FILE"),
            { Status: 401 } => throw new SidecarException("the hub does not know this enrolment key", "let the hub's operator make one: 'fleet-hub token create NAME --role enrol'"),
            { Status: 403 } => throw new SidecarException("this key may not enrol agents", "an enrolment key is made with 'fleet-hub token create NAME --role enrol'"),
            _ => throw Odd(answer.Status, answer.Error),
        };
    }

    /// <summary>Whose token it is; null where the hub does not accept it; the agent's own id where the hub is too old to say.</summary>
    public async Task<string?> OwnerOfAsync(string agentToken, CancellationToken token)
    {
        var answer = await AskAsync(HttpMethod.Get, "api/onboard/self", agentToken, null, DeskJson.Default.DeskBody, token);
        return answer switch
        {
            { Status: 200, Value.AgentId: { } owner } => owner,
            { Status: 401 or 403 } => null,
            { Status: 404 } => request.AgentId,
            _ => throw Odd(answer.Status, answer.Error),
        };
    }

    public async Task<DeskTask> ProveAsync(string agentToken, CancellationToken token)
    {
        var answer = await AskAsync(HttpMethod.Post, "api/onboard/prove", agentToken, new DeskBody(request.AgentId, request.WakeAgent), DeskJson.Default.DeskTask, token);
        return answer switch
        {
            { Status: 200 or 201, Value: { } task } => task,
            { Status: 404 } => throw new SidecarException("this hub offers no proof of an onboarding", "everything else is done; submit a task to see it work, or run setup with --no-test"),
            { Status: 429 } => throw new SidecarException("this agent had enough proofs for the hour", "everything else is done; run setup again later, or submit a task to see it work"),
            _ => throw Odd(answer.Status, answer.Error),
        };
    }

    public async Task<DeskTask> ShowAsync(string agentToken, string task, CancellationToken token) =>
        await AskAsync(HttpMethod.Get, $"api/onboard/prove/{Uri.EscapeDataString(task)}", agentToken, null, DeskJson.Default.DeskTask, token) is { Status: 200, Value: { } found }
            ? found : throw new SidecarException($"the hub no longer knows {task}", "run setup again");

    public void Dispose() => _http.Dispose();

    private async Task<(int Status, T? Value, string? Error)> AskAsync<T>(HttpMethod method, string path, string secret, DeskBody? body, JsonTypeInfo<T> shape, CancellationToken token)
        where T : class
    {
        var address = request.Below(path);
        if (LocalListener.Complaint(address) is { } complaint)
        {
            throw new HubUnreachableException(complaint, "stop the agent that has it ('ss -ltnp'), then the hub can start");
        }

        using var message = new HttpRequestMessage(method, address);
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        message.Headers.UserAgent.Add(new ProductInfoHeaderValue("fleet-sidecar", ProgramVersion.Text.Split('+')[0]));
        if (body is not null)
        {
            message.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, DeskJson.Default.DeskBody)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        try
        {
            using var response = await _http.SendAsync(message, token);
            if (OneOrigin.RedirectionOf(response.StatusCode, address, response.Headers.Location?.OriginalString) is { } elsewhere)
            {
                throw new SidecarException($"the hub's address {elsewhere.Words}, which is not followed", "give the hub's own address with --hub");
            }

            var bytes = await response.Content.ReadAsByteArrayAsync(token);
            var answer = response.IsSuccessStatusCode ? OutsideJson.Read(bytes, shape) ?? throw NoHub(address) : null;
            return ((int)response.StatusCode, answer, answer is null ? Words(bytes) : null);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is TaskCanceledException && !token.IsCancellationRequested))
        {
            throw new HubUnreachableException($"no hub answers at {request.Hub}: {Printable.Cut(fault is TaskCanceledException ? "no answer in time" : fault.Message, LongestQuote)}",
                "is 'fleet-hub serve' running there, and can this machine reach it?", fault);
        }
    }

    private static HubUnreachableException NoHub(Uri address) =>
        new($"what answers at {address} is no fleet hub", "give the address that 'fleet-hub serve' listens on, for example http://hub.example:7070");

    private static string? Words(byte[] body) =>
        OutsideJson.Read(body, DeskJson.Default.DeskError) is { } error ? Printable.Cut($"{error.Error} {error.Detail}".Trim(), LongestQuote) : null;

    private SidecarException Odd(int status, string? error) => new($"the hub at {request.Hub} answered {status} {error}".TrimEnd(), "look at the address and at the hub's log");
}

internal sealed record DeskBody(string? AgentId, bool? WakeAgent = null);

internal sealed record DeskRegistered(string? Token);

internal sealed record DeskError(string? Error, string? Detail);

/// <summary>The proof as the hub has it.</summary>
internal sealed record DeskTask(string Id, string Status, string? LastError = null, IReadOnlyList<DeskEvent>? History = null)
{
    public bool IsOver => Status is "completed" or "dead_letter" or "cancelled";
}

internal sealed record DeskEvent(string Event, long Timestamp, string? Details);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true, MaxDepth = 32)]
[JsonSerializable(typeof(DeskBody))]
[JsonSerializable(typeof(DeskRegistered))]
[JsonSerializable(typeof(DeskError))]
[JsonSerializable(typeof(DeskTask))]
internal sealed partial class DeskJson : JsonSerializerContext;
