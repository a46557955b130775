using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace FleetHub.Tests;

/// <summary>The built hub as a service: its signals, its options, and what it believes of a proxy.</summary>
public sealed class ServeTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task A_hang_up_ends_nothing_and_a_request_to_stop_still_does()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));

        await hub.Program.SignalAsync("HUP");
        await hub.Program.SignalAsync("HUP");

        var task = await hub.AddAsync("After the signal");
        Assert.Equal(task, (await agent.ReadAsync("task_assign")).GetProperty("task_id").GetString());
        await hub.Program.SignalAsync("TERM");
        Assert.Equal(0, await hub.Program.EndAsync());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_port_that_somebody_else_has_just_now_is_tried_again_by_the_service_manager()
    {
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        other.Start();

        var (ended, text) = await TestProgram.RunAsync(TestProgram.Hub, ["serve", "--data", _directory["hub"], "--listen", $"http://{other.LocalEndpoint}"]);

        Assert.Equal(1, ended); // 78 would be the end of it, see RestartPreventExitStatus= of the unit.
        Assert.Contains("cannot listen on", text, StringComparison.Ordinal);
        Assert.Contains("--listen", text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(78, "--idle-limit", "--lease", "00:00:40", "--idle-limit", "00:01:30")]
    [InlineData(78, "--lease", "--idle-limit", "00:03:00")]
    [InlineData(64, "--trusted-proxy", "--trusted-proxy", "proxy.example")]
    [InlineData(64, "--trusted-proxy", "--trusted-proxy", "10.0.0.0/40")]
    public async Task Options_that_do_not_fit_are_refused_at_the_start_with_one_line(int code, string part, params string[] options)
    {
        var (ended, text) = await TestProgram.RunAsync(TestProgram.Hub, ["serve", "--data", _directory["hub"], "--listen", "http://127.0.0.1:0", .. options]);

        Assert.Equal(code, ended);
        Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.Single(text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.False(Directory.Exists(_directory["hub"]));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("127.0.0.1", "https", "hub.example:8443", "wss://hub.example:8443/ws")]
    [InlineData("127.0.0.0/8", "https", null, "wss://HOST/ws")]
    [InlineData("127.0.0.1", "http, https", "evil.example, hub.example", "wss://hub.example/ws")]
    [InlineData("127.0.0.1", "gopher", "user@hub.example/path", "ws://HOST/ws")]
    [InlineData("10.0.0.1", "https", "evil.example", "ws://HOST/ws")]
    [InlineData(null, "https", "evil.example", "ws://HOST/ws")]
    public async Task The_address_that_a_new_agent_is_told_comes_from_a_trusted_proxy_and_from_no_other_peer(string? trusted, string proto, string? host, string expected)
    {
        using var hub = await TestHub.StartAsync(_directory, trusted is null ? [] : ["--trusted-proxy", trusted]);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/onboard/register");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await hub.TokenAsync("provisioning", "enrol"));
        request.Headers.Add("X-Forwarded-Proto", proto);
        request.Headers.Add("X-Forwarded-Host", host is null ? [] : [host]);
        request.Content = new StringContent("""{"agent_id":"noah"}""", Encoding.UTF8, "application/json");

        using var response = await hub.Client.SendAsync(request);

        var registered = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        var address = expected.Replace("HOST", $"127.0.0.1:{hub.Port}", StringComparison.Ordinal);
        Assert.Equal(address, registered.GetProperty("hub_ws_url").GetString());
        Assert.Equal(address.Replace("ws", "http", StringComparison.Ordinal).Replace("/http", "", StringComparison.Ordinal),
            registered.GetProperty("hub_api_url").GetString());
    }
}
