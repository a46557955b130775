using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FleetSidecar.Testing;

/// <summary>Repositories over HTTP for reading, as files; what is said to a push is the test's to choose.</summary>
public sealed class HttpOrigin : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HttpOrigin(WebApplication app) => _app = app;

    /// <summary>Status and text that answer a push.</summary>
    public (int Status, string Text) ToPush { get; set; } = (403, "");

    public static async Task<HttpOrigin> StartAsync(TempDir directory)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var origin = new HttpOrigin(app);
        app.Run(context => origin.ServeAsync(context, directory));
        await app.StartAsync();
        return origin;
    }

    /// <summary>The address of a repository, whose files are made ready for reading.</summary>
    public async Task<string> AddressOfAsync(GitOrigin origin)
    {
        await origin.GitAsync("update-server-info");
        return $"{_app.Urls.First()}/{Path.GetFileName(origin.Path)}";
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context, TempDir directory)
    {
        var file = directory[context.Request.Path.Value!.TrimStart('/')];
        if (context.Request.Query["service"] == "git-receive-pack")
        {
            context.Response.StatusCode = ToPush.Status;
            context.Response.ContentType = "text/plain"; // Git shows only plain text.
            await context.Response.WriteAsync(ToPush.Text);
        }
        else if (File.Exists(file))
        {
            await context.Response.SendFileAsync(file);
        }
        else
        {
            context.Response.StatusCode = 404;
        }
    }
}
