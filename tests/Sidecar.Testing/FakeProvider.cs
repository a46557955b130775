using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.Testing;

/// <summary>A model provider on loopback for real agent programs: speaks the four usual interfaces, costs nothing, and does what the prompt's words say.</summary>
/// <remarks><c>FAKE_EXEC:command:END</c>: the first reply calls the agent's shell tool. <c>FAKE_STATUS:401:END</c>: every reply is that status. Anything else: a canned text.</remarks>
public sealed partial class FakeProvider : IAsyncDisposable
{
    public const string Said = "FAKE-OK canned completion";
    public const string Model = "fake-1";

    private static readonly HashSet<string> ShellTools = ["exec", "bash", "Bash", "shell", "shell_command", "exec_command", "local_shell", "run_shell_command"];
    private readonly WebApplication _app;
    private int _requests;

    private FakeProvider(WebApplication app) => _app = app;

    public string Address => _app.Urls.First();

    public int Requests => _requests;

    /// <param name="at">Where it listens: a free port of loopback, or a socket (<c>http://unix:/path</c>) for a machine with a network of its own.</param>
    public static async Task<FakeProvider> StartAsync(string at = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls(at);
        var provider = new FakeProvider(builder.Build());
        provider._app.Run(provider.ServeAsync);
        await provider._app.StartAsync();
        return provider;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var path = context.Request.Path.Value ?? "";
        if (context.Request.Method != "POST" || JsonNode.Parse(body) is not JsonObject request)
        {
            await WriteAsync(context, 200, """{"object":"list","data":[{"id":"fake-1","object":"model"}]}""");
            return;
        }

        if (Status(body) is { } status)
        {
            await WriteAsync(context, status, $$$$"""{"type":"error","error":{"type":"api_error","message":"fake failure {{{{status}}}}","code":"fake_{{{{status}}}}"}}""");
            return;
        }

        var call = AfterTool().IsMatch(body) ? null : ToolCall(request, body);
        var answer = path switch
        {
            _ when path.EndsWith("/chat/completions", StringComparison.Ordinal) => FakeReplies.Chat(call, request["stream"]?.GetValue<bool>() == true),
            _ when path.EndsWith("/responses", StringComparison.Ordinal) => FakeReplies.Responses(call),
            _ when path.EndsWith("/count_tokens", StringComparison.Ordinal) => """{"input_tokens":1200}""",
            _ when path.EndsWith("/messages", StringComparison.Ordinal) => FakeReplies.Messages(call, request["stream"]?.GetValue<bool>() == true),
            _ when path.EndsWith(":countTokens", StringComparison.Ordinal) => """{"totalTokens":1200}""",
            _ when path.Contains("enerateContent", StringComparison.Ordinal) => FakeReplies.Gemini(call, path.Contains("stream", StringComparison.Ordinal)),
            _ => null,
        };
        await WriteAsync(context, answer is null ? 404 : 200, answer ?? """{"error":{"message":"no such route"}}""");
    }

    // The prompt may be repeated in a request; the words of the task itself are what counts, wherever they stand.
    private static int? Status(string body) => StatusWord().Match(body) is { Success: true } match ? int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) : null;

    private static (string Name, JsonObject Arguments)? ToolCall(JsonObject request, string body)
    {
        if (ExecWord().Match(body) is not { Success: true } match)
        {
            return null;
        }

        var command = JsonSerializer.Deserialize<string>($"\"{match.Groups[1].Value}\"")!;
        var tools = (request["tools"]?.AsArray() ?? []).SelectMany(tool => tool?["functionDeclarations"]?.AsArray().AsEnumerable() ?? [tool?["function"] ?? tool]);
        foreach (var tool in tools.OfType<JsonObject>().Where(tool => ShellTools.Contains((string?)tool["name"] ?? "")))
        {
            var schema = (tool["parameters"] ?? tool["input_schema"] ?? tool["parametersJsonSchema"])?["properties"]?.AsObject();
            var key = schema?.ContainsKey("cmd") == true ? "cmd" : "command";
            var arguments = (string?)schema?[key]?["type"] == "array"
                ? new JsonObject { [key] = new JsonArray("sh", "-c", command) }
                : new JsonObject { [key] = command };
            if (schema?.ContainsKey("description") == true)
            {
                arguments["description"] = "what the test asks for";
            }

            return ((string)tool["name"]!, arguments);
        }

        return null;
    }

    private static async Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = text.StartsWith('{') ? "application/json" : "text/event-stream";
        await context.Response.WriteAsync(text);
    }

    [GeneratedRegex("FAKE_STATUS:([0-9]{3}):END")]
    private static partial Regex StatusWord();

    [GeneratedRegex("FAKE_EXEC:(.*?):END")]
    private static partial Regex ExecWord();

    [GeneratedRegex("\"(tool_result|function_call_output|functionResponse)\"|\"role\":\\s*\"tool\"")]
    private static partial Regex AfterTool();
}
