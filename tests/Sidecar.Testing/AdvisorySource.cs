using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.Testing;

/// <summary>A package source that has no packages and knows one advisory, or that has no advisories at all.</summary>
public sealed class AdvisorySource : IAsyncDisposable
{
    private readonly WebApplication _app;

    private AdvisorySource(WebApplication app) => _app = app;

    public string Index => $"{_app.Urls.First()}/index.json";

    public static async Task<AdvisorySource> StartAsync(string? vulnerable, string advisory)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync(Answer(context.Request.Path.Value!, $"http://{context.Request.Host}", vulnerable, advisory)));
        await app.StartAsync();
        return new AdvisorySource(app);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    // The documents of the NuGet server API: an index of resources, an index of advisory pages, one page.
    private static string Answer(string path, string here, string? vulnerable, string advisory) => path switch
    {
        "/index.json" => JsonSerializer.Serialize(new
        {
            version = "3.0.0",
            resources = new[] { Resource($"{here}/flat/", "PackageBaseAddress/3.0.0") }
                .Concat(vulnerable is null ? [] : [Resource($"{here}/advisories.json", "VulnerabilityInfo/6.7.0")]),
        }),
        "/advisories.json" => JsonSerializer.Serialize(new[]
        {
            new Dictionary<string, string> { ["@name"] = "base", ["@id"] = $"{here}/page.json", ["@updated"] = "2026-01-01T00:00:00Z", ["comment"] = "all" },
        }),
        _ => JsonSerializer.Serialize(new Dictionary<string, object> { [vulnerable ?? "none"] = new[] { new { severity = 2, url = advisory, versions = "(, 9999.0.0)" } } }),
    };

    private static Dictionary<string, string> Resource(string address, string type) => new() { ["@id"] = address, ["@type"] = type };
}
