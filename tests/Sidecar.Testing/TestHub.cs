using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace FleetSidecar.Testing;

/// <summary>The built hub as a process, with its API.</summary>
public sealed class TestHub : IDisposable
{
    // A test's hub lives for seconds; to compile its code a second time, better, costs more than it brings.
    private static readonly Dictionary<string, string?> ShortLife = new() { ["DOTNET_TC_CallCountThreshold"] = "1000" };

    private readonly HttpClient _client;
    private TestProgram? _program;

    private TestHub(TempDir directory, int port, string[] options)
    {
        (Data, Port, Options) = (directory["hub"], port, options);
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(10) };
    }

    public string Data { get; }

    public int Port { get; }

    /// <summary>What it is started with the next time.</summary>
    public IReadOnlyList<string> Options { get; set; }

    /// <summary>Takes the origins of tests, which are directories of this machine.</summary>
    public bool LocalRepositories { get; set; } = true;

    public string SocketUrl => $"ws://127.0.0.1:{Port}/ws";

    public TestProgram Program => _program ?? throw new InvalidOperationException("The hub is not running.");

    public HttpClient Client => _client;

    public static async Task<TestHub> StartAsync(TempDir directory, params string[] options)
    {
        var hub = new TestHub(directory, FreePort.Take(), options);
        await hub.StartAsync();
        hub._client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await hub.TokenAsync("tester", "operator"));
        return hub;
    }

    public async Task StartAsync()
    {
        _program = TestProgram.Start(TestProgram.Hub, ["serve", "--data", Data, "--listen", $"http://127.0.0.1:{Port}", .. LocalRepositories ? (string[])["--local-repositories"] : [], .. Options], ShortLife);
        await _program.WaitForLineAsync(" accepts on ");
    }

    public void Kill()
    {
        Program.Kill();
        Program.Dispose();
        _program = null;
    }

    public async Task<string> TokenAsync(string name, string role = "agent") =>
        (await TestProgram.MustAsync(TestProgram.Hub, "token", "create", name, "--role", role, "--data", Data)).Trim();

    public Task<string> AddAsync(string description, string? repo = null, int maxRetries = 0) =>
        AddJsonAsync($$"""{"description":{{Quote(description)}},"max_retries":{{maxRetries}}{{(repo is null ? "" : $",\"repo\":{Quote(repo)}")}}}""");

    public async Task<string> AddJsonAsync(string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await _client.PostAsync(new Uri("/api/tasks", UriKind.Relative), content);
        var body = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonDocument.Parse(body).RootElement.GetProperty("task_id").GetString()!
            : throw new InvalidOperationException($"{(int)response.StatusCode} {body}");
    }

    public Task<JsonElement> GetAsync(string path) => _client.GetFromJsonAsync<JsonElement>(new Uri(path, UriKind.Relative));

    public Task<JsonElement> TaskAsync(string id) => GetAsync($"/api/tasks/{id}");

    public async Task<JsonElement> WaitForAsync(string id, string status, TimeSpan? limit = null)
    {
        var last = "nothing";
        try
        {
            var found = await Wait.ForAsync(async () =>
            {
                var task = await TaskAsync(id);
                last = task.ToString();
                return task.GetProperty("status").GetString() == status ? (object)task : null;
            }, $"{id} to be {status}", limit);
            return (JsonElement)found;
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}; it was {last}\n{(_program is null ? "" : Program.Text)}");
        }
    }

    /// <summary>How often an event stands in a task's history.</summary>
    public async Task<int> CountAsync(string id, string eventName) =>
        (await TaskAsync(id)).GetProperty("history").EnumerateArray().Count(entry => entry.GetProperty("event").GetString() == eventName);

    public void Dispose()
    {
        _program?.Dispose();
        _client.Dispose();
    }

    public static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
