using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.Testing;

/// <summary>A forge under the test's control: keeps pull requests as GitHub does, refuses a second open one for a branch, and can answer anything else.</summary>
public sealed class FakeForge : IAsyncDisposable
{
    public const string Repository = "fleet/app";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Method, string Path, string Token)> _asked = new();
    private readonly List<JsonObject> _pulls = [];
    private readonly CancellationTokenSource _over = new();

    private FakeForge(WebApplication app) => _app = app;

    public string Api => _app.Urls.First();

    /// <summary>Every question: method, path with query, and what stood in Authorization.</summary>
    public IReadOnlyCollection<(string Method, string Path, string Token)> Asked => _asked;

    public IReadOnlyList<JsonObject> Pulls
    {
        get
        {
            lock (_pulls)
            {
                return [.. _pulls];
            }
        }
    }

    /// <summary>Answers instead of the forge where it returns true; called with the count of questions so far.</summary>
    public Func<HttpContext, int, Task<bool>>? Instead { get; set; }

    /// <summary>The list does not filter by head, as Gitea's does not.</summary>
    public bool ListsAll { get; set; }

    /// <summary>Ends with the forge: for answers that never come.</summary>
    public CancellationToken Over => _over.Token;

    public static async Task<FakeForge> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var forge = new FakeForge(app);
        app.Run(forge.ServeAsync);
        await app.StartAsync();
        return forge;
    }

    /// <summary>The configuration of a sidecar that uses this forge.</summary>
    public string Settings(TempDir directory, string more = "") =>
        $$"""{ "workspace": { "forge": { "api": "{{Api}}", "tokenFile": "{{directory.Write("forge-token", "forge-token-secret\n")}}", "repository": "{{Repository}}"{{more}} } } }""";

    public void Add(string branch, string state, bool merged = false, string repository = Repository)
    {
        lock (_pulls)
        {
            var number = _pulls.Count + 1;
            _pulls.Insert(0, new JsonObject
            {
                ["number"] = number, ["html_url"] = $"https://forge.example/{Repository}/pull/{number}", ["state"] = state, ["merged_at"] = merged ? "2026-01-01T00:00:00Z" : null,
                ["head"] = new JsonObject { ["ref"] = branch, ["label"] = $"{repository.Split('/')[0]}:{branch}", ["repo"] = new JsonObject { ["full_name"] = repository } },
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _over.Dispose();
    }

    public static async Task AnswerAsync(HttpContext context, int status, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(body);
    }

    private async Task ServeAsync(HttpContext context)
    {
        _asked.Enqueue((context.Request.Method, context.Request.Path + context.Request.QueryString, context.Request.Headers.Authorization.ToString()));
        if (Instead is { } instead && await instead(context, _asked.Count))
        {
            return;
        }

        var path = context.Request.Path.Value;
        var head = context.Request.Query["head"].ToString().Split(':')[^1];
        await (path == $"/repos/{Repository}" ? AnswerAsync(context, 200, """{"default_branch":"main"}""")
            : path != $"/repos/{Repository}/pulls" ? AnswerAsync(context, 404, """{"message":"Not Found"}""")
            : context.Request.Method == "POST" ? OpenAsync(context)
            : AnswerAsync(context, 200, Page(head, int.Parse(context.Request.Query["page"].ToString(), CultureInfo.InvariantCulture), int.Parse(context.Request.Query["per_page"].ToString(), CultureInfo.InvariantCulture))));
    }

    private string Page(string head, int page, int size)
    {
        lock (_pulls)
        {
            return new JsonArray([.. _pulls.Where(pull => ListsAll || pull["head"]!["ref"]!.GetValue<string>() == head).Skip((page - 1) * size).Take(size).Select(pull => pull.DeepClone())]).ToJsonString();
        }
    }

    private async Task OpenAsync(HttpContext context)
    {
        using var asked = await JsonDocument.ParseAsync(context.Request.Body);
        var branch = asked.RootElement.GetProperty("head").GetString()!;
        if (Pulls.Any(pull => pull["head"]!["ref"]!.GetValue<string>() == branch && pull["state"]!.GetValue<string>() == "open"))
        {
            await AnswerAsync(context, 422, """{"message":"Validation Failed","errors":[{"message":"A pull request already exists"}]}""");
            return;
        }

        Add(branch, "open");
        var made = Pulls[0];
        foreach (var property in asked.RootElement.EnumerateObject().Where(property => property.Name != "head"))
        {
            made[property.Name] = JsonNode.Parse(property.Value.GetRawText());
        }

        await AnswerAsync(context, 201, made.ToJsonString());
    }
}
