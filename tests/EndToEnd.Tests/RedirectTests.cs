using System.Text;

namespace FleetSidecar.EndToEnd;

/// <summary>An address that answers with another address gets no credential sent there: the daemon, setup, the hub's
/// commands, the gateway's turn, git.</summary>
public sealed class RedirectTests : IDisposable
{
    private const string Token = "fleet_secret_token_of_this_test";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000)]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task L45_the_link_follows_no_redirection_and_says_in_log_status_and_doctor_where_it_pointed(int status)
    {
        await using var other = await ScriptedHub.StartAsync(version: 2);
        var target = other.SocketUrl.Replace("ws://127.0.0.1", "http://127.0.0.2", StringComparison.Ordinal);
        using var hub = HttpStub.RedirectingTo($"{target}?token=hidden", status);
        using var sidecar = await TestSidecar.Create(_directory, $"ws://{hub.Authority}/ws", Token, Scripts.Worker(_directory)).StartAsync(waitForLink: false);

        await sidecar.Program.WaitForLinesAsync("LinkRedirected]", 3);

        var words = $"answers {status} to {target}";
        Assert.Contains(words, sidecar.Program.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", sidecar.Program.Text, StringComparison.Ordinal);
        await sidecar.WaitForStatusAsync(seen => seen.GetProperty("hub").GetProperty("state").GetString() == "redirected"
            && seen.GetProperty("hub").GetProperty("detail").GetString()!.Contains($"set hub.url to {target.Replace("http:", "ws:", StringComparison.Ordinal)}", StringComparison.Ordinal), "status to say where the hub's address points");
        var (code, doctor) = await TestProgram.RunAsync(TestProgram.Sidecar, ["doctor", "--config", sidecar.ConfigFile]);
        Assert.Equal(1, code);
        Assert.Contains(words, doctor, StringComparison.Ordinal);
        Assert.Equal(0, other.Identified);
        Assert.Empty(other.Frames);
        Assert.All(hub.Requests, request => Assert.DoesNotContain(Token, request, StringComparison.Ordinal));
    }

    [Fact(Timeout = 60_000)]
    public async Task Setup_the_hubs_commands_and_a_gateways_turn_follow_none_either()
    {
        using var other = HttpStub.Elsewhere();
        using var named = HttpStub.RedirectingTo($"http://{other.Authority}/api/x");
        var token = _directory.Write("token", Token);
        var message = _directory.Write("message", "do it");
        var words = $"answers 301 to http://{other.Authority}/api/x";

        foreach (var (program, arguments) in new (string, string[])[]
        {
            (TestProgram.Sidecar, ["setup", "--hub", $"http://{named.Authority}", "--agent", "iris", "--token-file", token, "--config", _directory["etc/sidecar.json"],
                "--state", _directory["state"], "--agent-command", "/bin/true"]),
            (TestProgram.Sidecar, ["setup", "--hub", $"http://{named.Authority}", "--agent", "iris", "--enrol", $"@{token}", "--config", _directory["etc/other.json"],
                "--state", _directory["state"], "--agent-command", "/bin/true"]),
            (TestProgram.Hub, ["task", "list", "--hub", $"http://{named.Authority}", "--token-file", token]),
            (TestProgram.Hub, ["task", "add", "--description", "x", "--hub", $"http://{named.Authority}", "--token-file", token]),
            (TestProgram.Sidecar, ["agent-turn", "openclaw", "--gateway", $"ws://{named.Authority}", "--token-file", token, "--agent", "main", "--session-key", "k", "--message-file", message, "--timeout", "20"]),
        })
        {
            var asked = named.Requests.Count;

            var (code, text) = await TestProgram.RunAsync(program, arguments);

            Assert.True(named.Requests.Count > asked, text);
            Assert.NotEqual(0, code);
            Assert.Contains(words, text, StringComparison.Ordinal);
            Assert.Empty(other.Requests);
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task Gits_credential_stays_with_its_host_when_that_host_points_elsewhere()
    {
        using var other = HttpStub.Elsewhere();
        using var named = new HttpStub(request => request.Contains("Authorization: Basic", StringComparison.OrdinalIgnoreCase)
            ? $"HTTP/1.1 301 Moved\r\nLocation: http://{other.Authority}/x.git/info/refs?service=git-upload-pack\r\nContent-Length: 0"
            : "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        var credential = _directory.Write("git-token", Token + "\n");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory),
            $$"""{ "workspace": { "credentials": [ { "url": "http://{{named.Authority}}", "tokenFile": "{{credential}}" } ] } }""").StartAsync();
        await sidecar.WaitForAvailableAsync();

        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x","repo":"http://{{named.Authority}}/x.git"}""");
        await Wait.UntilAsync(() => other.Requests.Count > 0, "git to look where the host pointed");
        await hub.WaitForAsync("task_failed");

        Assert.Contains(named.Requests, request => Decoded(request).Contains(Token, StringComparison.Ordinal));
        Assert.All(other.Requests, request => Assert.DoesNotContain(Token, Decoded(request), StringComparison.Ordinal));
    }

    // The user name and the password of a request, as they were before they were encoded.
    private static string Decoded(string request) => request.Split("\r\n").FirstOrDefault(line => line.StartsWith("Authorization: Basic ", StringComparison.OrdinalIgnoreCase)) is { } line
        ? Encoding.UTF8.GetString(Convert.FromBase64String(line["Authorization: Basic ".Length..])) : "";
}
