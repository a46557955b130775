using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>A sidecar, a scripted hub and origins: what tests about git and workspaces stand on.</summary>
public abstract class WorkspaceTests : IAsyncDisposable
{
    private ScriptedHub? _hub;
    private TestSidecar? _sidecar;

    private protected TempDir Scene { get; } = new();

    private protected ScriptedHub Hub => _hub ?? throw new InvalidOperationException("Not started.");

    private protected TestSidecar Sidecar => _sidecar ?? throw new InvalidOperationException("Not started.");

    public async ValueTask DisposeAsync()
    {
        _sidecar?.Dispose();
        Scene.Dispose();
        if (_hub is not null)
        {
            await _hub.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Starts both; the sidecar's agent is a shell script with this body.</summary>
    private protected Task StartAsync(string agent, string settings = "{}", IReadOnlyDictionary<string, string?>? environment = null, CrashPoint? crashPoint = null) =>
        StartProgramAsync(Scripts.Agent(Scene, agent), settings, environment, crashPoint);

    private protected async Task StartProgramAsync(string agent, string settings = "{}", IReadOnlyDictionary<string, string?>? environment = null, CrashPoint? crashPoint = null, bool available = true)
    {
        _hub = await ScriptedHub.StartAsync(version: 2);
        _hub.CompletionAnswer = "retried"; // So that the next generation is another attempt and no forgotten outcome.
        _sidecar = await TestSidecar.Create(Scene, _hub.SocketUrl, "token-token", agent, settings).StartAsync(environment: environment, crashPoint: crashPoint);
        if (available)
        {
            await _sidecar.WaitForAvailableAsync();
        }
    }

    private protected Task AssignAsync(string repository, string task = "task-a", int generation = 1, string metadata = "{}") =>
        Hub.SendAsync($$"""{"type":"task_assign","task_id":"{{task}}","generation":{{generation}},"description":"The same words","repo":"{{repository}}","metadata":{{metadata}} }""");

    /// <summary>Assigns, waits for a good end, acknowledges it; the commit that was delivered.</summary>
    private protected async Task<string> CompleteAsync(GitOrigin origin, string task, int generation, string? address = null)
    {
        await AssignAsync(address ?? origin.Path, task, generation);
        await Wait.UntilAsync(() => Ends(task, generation).Any(), $"{task} to end");
        var end = Ends(task, generation).First();
        Assert.True(end.GetProperty("type").GetString() == "task_complete", end.GetRawText());
        await AcknowledgeAsync(end);
        return end.GetProperty("result").GetProperty("commit").GetString()!;
    }

    /// <summary>Assigns, waits for the bad end with this number, acknowledges it.</summary>
    private protected async Task<JsonElement> FailAsync(GitOrigin origin, string task, int generation, int count = 1, string? address = null)
    {
        await AssignAsync(address ?? origin.Path, task, generation);
        var failed = await Hub.WaitForAsync("task_failed", count);
        await AcknowledgeAsync(failed);
        return failed;
    }

    private protected JsonElement Completed(string task, int generation = 1) => Ends(task, generation).First();

    private protected static async Task<string?> RefAsync(GitOrigin origin, string name) => (await origin.GitAsync("for-each-ref", "--format=%(objectname)", name)).Trim() is { Length: > 0 } commit ? commit : null;

    private protected static Task<string> RescuedAsync(GitOrigin origin, string name) => Wait.ForAsync(() => RefAsync(origin, name), $"{name} on the origin");

    private Task AcknowledgeAsync(JsonElement end) =>
        Hub.SendAsync($$"""{"type":"task_ack","task_id":"{{end.GetProperty("task_id")}}","status":"retried","message_id":"{{end.GetProperty("message_id")}}"}""");

    private IEnumerable<JsonElement> Ends(string task, int generation) => Hub.Of("task_complete").Concat(Hub.Of("task_failed"))
        .Where(end => end.GetProperty("task_id").GetString() == task && end.GetProperty("generation").GetInt32() == generation);
}

internal static class Trimmed
{
    public static async Task<string> TrimAsync(this Task<string> text) => (await text).Trim();
}
