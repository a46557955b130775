namespace FleetSidecar.Testing;

/// <summary>Programs that look like the real agents from outside, with the traps of the real ones; see <c>tests/AgentStandIn</c>.</summary>
public sealed class StandIn : IDisposable
{
    public const string GatewayToken = "gateway-token";

    private readonly TempDir _directory;
    private readonly int _port = FreePort.Take();
    private TestProgram? _gateway;

    public StandIn(TempDir directory)
    {
        _directory = directory;
        Directory.CreateDirectory(directory["bin"]);
        foreach (var name in new[] { "claude", "codex", "gemini", "opencode", "openclaw" })
        {
            File.CreateSymbolicLink(Program(name), TestProgram.AgentStandIn);
        }

        directory.Write("gateway-token", GatewayToken + "\n");
    }

    /// <summary>What the gateway wrote: <c>turns</c>, one line a turn that it began, and <c>aborts</c>.</summary>
    public string[] Noted(string file) => File.Exists(_directory[$".openclaw/{file}"]) ? File.ReadAllLines(_directory[$".openclaw/{file}"]) : [];

    public string Program(string name) => _directory[$"bin/{name}"];

    /// <summary>A sidecar's settings with one profile; its agents' home is the test's directory.</summary>
    public string Settings(string adapter, string program, string arguments = "", string more = "", string variables = "") => $$"""
        { "wake": { "profiles": [ { "name": "main", "adapter": "{{adapter}}", "command": ["{{Program(program)}}"{{arguments}}], "aliveFor": "00:00:30", "retries": 0,
          "environment": { "HOME": "{{_directory.Path}}"{{variables}} }{{more}} } ] } }
        """;

    /// <summary>Where the gateway listens.</summary>
    public string GatewayAddress => $"ws://127.0.0.1:{_port}";

    /// <summary>The profile's part for this gateway.</summary>
    public string Gateway(string token = "gateway-token") => $$"""
        , "openClaw": { "gateway": "ws://127.0.0.1:{{_port}}", "tokenFile": "{{_directory[token]}}" }
        """;

    public async Task StartGatewayAsync()
    {
        _gateway = TestProgram.Start(Program("openclaw"), ["gateway", "run", "--port", $"{_port}", "--token", GatewayToken], new Dictionary<string, string?> { ["HOME"] = _directory.Path });
        await _gateway.WaitForLineAsync("ready");
    }

    public void KillGateway()
    {
        _gateway?.Dispose();
        _gateway = null;
    }

    public void Dispose() => KillGateway();
}
