using System.Text.Json;
using System.Text.Json.Nodes;

namespace FleetSidecar.Testing;

/// <summary>The built sidecar as a process, with its configuration and its command line.</summary>
public sealed class TestSidecar : IDisposable
{
    // Each look starts a program: more often, they would take the machine from what is waited for.
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    private TestProgram? _program;

    private TestSidecar(TempDir directory, string name, string config) => (Directory, Name, ConfigFile) = (directory, name, config);

    public TempDir Directory { get; }

    public string Name { get; }

    public string ConfigFile { get; }

    public string State => Directory[$"{Name}-state"];

    public string TokenFile => Directory[$"{Name}-token"];

    public TestProgram Program => _program ?? throw new InvalidOperationException("The sidecar is not running.");

    /// <summary>Writes a configuration with short waits; <paramref name="settings"/> is merged over it.</summary>
    public static TestSidecar Create(TempDir directory, string hubUrl, string token, string agentScript, string settings = "{}", string name = "iris")
    {
        var config = JsonNode.Parse($$"""
            {
              "agent": { "id": "{{name}}", "capabilities": ["code"] },
              "hub": { "url": "{{hubUrl}}", "tokenFile": "{{directory[$"{name}-token"]}}", "heartbeatInterval": "00:00:01", "pongTimeout": "00:00:02",
                       "refusedInterval": "00:00:00.5" },
              "stateDirectory": "{{directory[$"{name}-state"]}}",
              "control": { "socket": "{{directory[$"{name}.sock"]}}" },
              "deadlines": { "killGrace": "00:00:01" },
              "safeMode": { "starts": 0 },
              "workspace": { "allowedRepositories": ["*"{{string.Concat(GitOrigin.In(directory).SelectMany(origin => new[] { $", \"{origin}\"", $", \"file://{origin}\"" }))}}] },
              "wake": { "profiles": [ { "name": "main", "command": ["{{agentScript}}"], "aliveFor": "00:00:01", "retryDelay": "00:00:00.2" } ] }
            }
            """)!.AsObject();
        JsonMerge.Into(config, JsonNode.Parse(settings)!.AsObject());
        directory.Write($"{name}-token", token + "\n");
        return new TestSidecar(directory, name, directory.Write($"{name}.json", config.ToJsonString()));
    }

    public async Task<TestSidecar> StartAsync(bool waitForLink = true, IReadOnlyDictionary<string, string?>? environment = null, CrashPoint? crashPoint = null)
    {
        _program?.Dispose();
        string[] more = crashPoint is null ? [] : ["--crash-points"];
        _program = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", ConfigFile, .. more], crashPoint?.Environment.Concat(environment ?? new Dictionary<string, string?>()).ToDictionary() ?? environment);
        if (waitForLink)
        {
            try
            {
                await _program.WaitForLineAsync("LinkUp]");
            }
            catch
            {
                _program.Dispose(); // Nobody has the sidecar yet who would end it.
                throw;
            }
        }

        return this;
    }

    public async Task<JsonElement> StatusAsync() => JsonDocument.Parse(await CliAsync("status", "--json")).RootElement;

    public async Task<JsonElement> RunsAsync() => JsonDocument.Parse(await CliAsync("runs", "--json")).RootElement;

    public async Task<string> CliAsync(string verb, params string[] arguments) => await TestProgram.MustAsync(TestProgram.Sidecar, [verb, .. arguments, "--config", ConfigFile]);

    /// <summary>The first self-test has passed, so the hub may send work.</summary>
    public async Task WaitForAvailableAsync() => await Wait.ForAsync(async () =>
        (await StatusAsync()).GetProperty("available").GetBoolean() ? new object() : null, "the sidecar to be available", every: BetweenLooks);

    /// <summary>Waits until <c>status --json</c> looks like this.</summary>
    public async Task WaitForStatusAsync(Func<JsonElement, bool> looks, string what, TimeSpan? limit = null) => await Wait.ForAsync(async () =>
        looks(await StatusAsync()) ? new object() : null, what, limit, BetweenLooks);

    public async Task WaitForRunAsync(string state, TimeSpan? limit = null) => await Wait.ForAsync(async () =>
        (await RunsAsync()).EnumerateArray().Any(run => run.GetProperty("state").GetString() == state) ? new object() : null, $"a run to be {state}", limit, BetweenLooks);

    /// <summary>Ends the daemon and every agent that it left working.</summary>
    public void Dispose()
    {
        _program?.Dispose();
        foreach (var pid in LiveProcess.With($"FLEET_RUN_DIR={State}/"))
        {
            TestProgram.RunAsync("/bin/kill", ["-9", pid]).GetAwaiter().GetResult();
        }
    }
}
