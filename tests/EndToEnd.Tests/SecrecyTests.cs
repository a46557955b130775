namespace FleetSidecar.EndToEnd;

/// <summary>A known token goes in; it must not come out anywhere but on the wire to the hub.</summary>
public sealed class SecrecyTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_token_is_in_no_log_no_file_no_argv_and_no_environment_even_when_an_agent_and_a_url_carry_one()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        const string InUrl = "hunter2hunter2";
        var agent = Scripts.Agent(_directory, $"fleet-sidecar task start\nenv > \"$FLEET_TEST_DIR/environment\"\necho 'leaked {token} here' >&2\nfleet-sidecar task fail --reason 'the token is {token}'");
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, token, agent, """{ "log": { "level": "Debug" } }""").StartAsync();

        var failing = await hub.AddAsync("Leak");
        var cloning = await hub.AddAsync("Clone", $"http://user:{InUrl}@127.0.0.1:9/x.git");
        var failed = await hub.WaitForAsync(failing, "dead_letter");
        await hub.WaitForAsync(cloning, "dead_letter");
        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());
        await hub.Program.SignalAsync("TERM");
        await hub.Program.EndAsync();

        foreach (var text in new[] { sidecar.Program.Text, hub.Program.Text, failed.ToString(), await File.ReadAllTextAsync(_directory["environment"]) })
        {
            Assert.DoesNotContain(token, text, StringComparison.Ordinal);
            Assert.DoesNotContain(InUrl, text, StringComparison.Ordinal);
        }

        var logs = Directory.GetFiles(_directory.Path, "*.log", SearchOption.AllDirectories);
        Assert.Equal(2, logs.Length);
        foreach (var file in logs.Concat(Directory.GetFiles(_directory.Path, "*.db*", SearchOption.AllDirectories)))
        {
            Assert.DoesNotContain(token, await File.ReadAllTextAsync(file, System.Text.Encoding.Latin1), StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task The_hub_keeps_only_a_hash_and_an_operators_door_is_shut_without_a_token()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var client = new HttpClient { BaseAddress = hub.Client.BaseAddress };

        foreach (var path in new[] { "/api/tasks", "/api/tasks/x", "/api/tasks/stats", "/api/tasks/dead-letter", "/api/agents", "/api/agents/x/state", "/api/metrics", "/api/alerts", "/api/dashboard" })
        {
            Assert.Equal(401, (int)(await client.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", token);
            Assert.Equal(403, (int)(await client.SendAsync(request)).StatusCode);
        }

        foreach (var path in new[] { "/api/tasks", "/api/tasks/x/cancel", "/api/tasks/x/retry", "/api/alerts/x/acknowledge", "/api/onboard/register" })
        {
            Assert.Equal(401, (int)(await client.PostAsync(new Uri(path, UriKind.Relative), null)).StatusCode);
        }

        Assert.Equal(200, (int)(await client.GetAsync(new Uri("/health", UriKind.Relative))).StatusCode);
        foreach (var file in Directory.GetFiles(hub.Data).Where(file => Path.GetFileName(file) != "lock"))
        {
            Assert.DoesNotContain(token, await File.ReadAllTextAsync(file, System.Text.Encoding.Latin1), StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task Each_event_is_one_line_with_a_priority_a_number_and_a_name()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Agent(_directory, "fleet-sidecar task fail --reason $'two\\nlines'")).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await hub.WaitForAsync("task_failed");
        await sidecar.WaitForRunAsync("settled");

        Assert.All(sidecar.Program.Lines, line => Assert.Matches(@"^<[2-7]>[A-Za-z]+\[\d+ [A-Z][A-Za-z]+\] \S", line));
    }
}
