namespace FleetSidecar.EndToEnd;

/// <summary>The way to the hub through a proxy: only the one that the configuration names, only as a tunnel, only with
/// TLS.</summary>
public sealed class HubProxyTests : IDisposable
{
    // No name service knows it, so what reaches the hub went through the proxy.
    private const string HubName = "hub.fleet.invalid";

    private static readonly string[] Variables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_link_comes_up_through_a_tunnel_and_the_proxys_password_is_said_to_nobody_else()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var front = new TlsFront(_directory, HubName, hub.Port);
        using var proxy = new ConnectProxy(front.Port, "iris:proxy-password-1");
        var credentials = _directory.Write("proxy-credentials", "iris:proxy-password-1\n");
        using var sidecar = await TestSidecar.Create(_directory, $"wss://{HubName}:7443/ws", await hub.TokenAsync("iris"), Scripts.Worker(_directory),
            $$"""{ "hub": { "proxy": "{{proxy.Address}}", "proxyCredentialsFile": "{{credentials}}" } }""").StartAsync(environment: Trusting(front));

        var task = await hub.AddAsync("through a tunnel");
        Scripts.Go(_directory);
        await hub.WaitForAsync(task, "completed");

        Assert.Contains($"CONNECT {HubName}:7443 HTTP/1.1", string.Concat(proxy.Requests), StringComparison.Ordinal);
        Assert.Contains("hub.proxy", await sidecar.CliAsync("doctor"), StringComparison.Ordinal);
        Assert.DoesNotContain("proxy-password-1", sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "what an agent put where the daemon's libraries look")]
    [InlineData("mkfifo my/x.pfx ca/x.pfx root/x.pfx disallowed/x.pfx trustedpeople/x.pfx")]
    [InlineData("echo hi >disallowed/x.pfx; echo hi >root/x.pfx")]
    [InlineData("ln -s /nonexistent disallowed/x.pfx; ln -s /nonexistent my/x.pfx")]
    [InlineData("mkdir disallowed/x.pfx; chmod 0 my disallowed")]
    public async Task A_link_with_TLS_comes_up_whatever_lies_in_the_users_certificate_stores(string harm)
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var front = new TlsFront(_directory, "localhost", hub.Port);
        await TestProgram.MustAsync("/bin/bash", "-c", $"mkdir -p '{_directory.Path}'/home/.dotnet/corefx/cryptography/x509stores/{{my,ca,root,disallowed,trustedpeople}}; cd '{_directory.Path}/home/.dotnet/corefx/cryptography/x509stores'; {harm}");

        using var sidecar = await TestSidecar.Create(_directory, $"wss://localhost:{front.Port}/ws", await hub.TokenAsync("iris"), Scripts.Worker(_directory))
            .StartAsync(environment: new Dictionary<string, string?>(Trusting(front)) { ["HOME"] = _directory["home"] });

        Scripts.Go(_directory);
        await hub.WaitForAsync(await hub.AddAsync("over TLS"), "completed");
        await sidecar.Program.WaitForLineAsync("CertificateStoreRepaired]");
    }

    [Theory(Timeout = 60_000)]
    [InlineData("""{ "hub": { "url": "ws://hub.example/ws", "proxy": "http://proxy.example:3128" } }""", "would read the agent's token")]
    [InlineData("""{ "hub": { "url": "wss://hub.example/ws", "proxy": "http://iris:secret@proxy.example:3128" } }""", "must not hold a user name or a password")]
    [InlineData("""{ "hub": { "url": "wss://hub.example/ws", "proxy": "socks5://proxy.example:1080" } }""", "must be an http:// or https:// address")]
    [InlineData("""{ "hub": { "url": "wss://hub.example/ws", "proxy": "" } }""", "must be an http:// or https:// address")]
    [InlineData("""{ "hub": { "url": "wss://hub.example/ws", "proxyCredentialsFile": "/etc/x" } }""", "is for hub.proxy")]
    public async Task A_proxy_that_would_see_the_token_or_cannot_be_a_tunnel_is_refused_with_78(string settings, string words)
    {
        var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", Scripts.Worker(_directory), settings);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", sidecar.ConfigFile]);

        Assert.Equal(78, code);
        Assert.Contains(words, text, StringComparison.Ordinal);
        Assert.DoesNotContain("iris:secret", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_proxy_of_the_environment_is_not_used_and_doctor_says_that_it_is_there()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var proxy = new ConnectProxy(9);
        var environment = Variables.ToDictionary(name => name, _ => (string?)proxy.Address.Replace("http://", "http://iris:proxy-password-2@", StringComparison.Ordinal));
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync(environment: environment);

        var running = await sidecar.CliAsync("doctor");
        await sidecar.Program.SignalAsync("TERM");
        await sidecar.Program.EndAsync();
        var (_, stopped) = await TestProgram.RunAsync(TestProgram.Sidecar, ["doctor", "--config", sidecar.ConfigFile], environment);

        Assert.Matches(@"ok\s+proxy\s+the environment has .*HTTPS_PROXY.*does not use: it connects directly", running);
        Assert.Matches(@"warning\s+proxy\s+the environment has .*HTTPS_PROXY", stopped);
        Assert.Contains("name the proxy in hub.proxy", stopped, StringComparison.Ordinal);
        Assert.DoesNotContain("proxy-password-2", running + stopped, StringComparison.Ordinal);
        Assert.Empty(proxy.Requests);
    }

    private static Dictionary<string, string?> Trusting(TlsFront front) => new() { ["SSL_CERT_FILE"] = front.CertificateFile };
}
