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

    [Fact(Timeout = 120_000)]
    public async Task Every_secret_that_the_configuration_names_stays_out_of_reports_also_where_a_report_is_cut_in_its_middle()
    {
        // As a git token, a forge's, an alert hook's, a key of a member, a sign-in that the self-test looks at.
        string[] secrets = [.. Enumerable.Range(0, 5).Select(number => $"zq{number}jxkvwzqpl-quite-secret-{number}")];
        string File(int number, string text)
        {
            System.IO.File.WriteAllText(_directory[$"secret-{number}"], text);
            return _directory[$"secret-{number}"];
        }

        using var hub = await TestHub.StartAsync(_directory);
        var agent = Scripts.Agent(_directory, $"""
            fleet-sidecar task start
            case $(cat "$FLEET_TASK_FILE") in
              *Say*) fleet-sidecar task fail --reason '{string.Join(' ', secrets)}' ;;
              *) printf '%s %s %0980d' '{string.Join(' ', secrets)}' '{secrets[1]}' 0 >&2; printf '%s %s %0880d' '{string.Join(' ', secrets)}' '{secrets[2]}' 0; exit 3 ;;
            esac
            """);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, $$"""
            { "workspace": { "credentials": [{ "url": "https://git.example", "tokenFile": "{{File(0, secrets[0] + "\n")}}" }],
                             "forge": { "kind": "github", "api": "https://forge.example", "tokenFile": "{{File(1, secrets[1])}}" } },
              "alerts": { "hooks": [{ "url": "http://127.0.0.1:9/", "tokenFile": "{{File(2, secrets[2])}}" }] },
              "selfTest": { "credentials": [{ "file": "{{File(4, $$"""{ "oauth": { "accessToken": "{{secrets[4]}}", "expiresAt": 4102444800 } }""")}}", "expiresAt": "oauth.expiresAt" }] },
              "supervise": { "members": [{ "name": "one", "kind": "process", "command": ["/bin/sleep", "1000"], "environment": { "PROVIDER_API_KEY": "{{secrets[3]}}" } }] } }
            """).StartAsync();

        var said = (await hub.WaitForAsync(await hub.AddAsync("Say them"), "dead_letter")).ToString();
        var printed = (await hub.WaitForAsync(await hub.AddAsync("Print them and fall over"), "dead_letter")).ToString();
        await sidecar.Program.SignalAsync("TERM");
        Assert.Equal(0, await sidecar.Program.EndAsync());

        Assert.Contains("*** *** *** *** ***", said, StringComparison.Ordinal);
        Assert.Contains("00000", printed, StringComparison.Ordinal);
        Assert.All(new[] { said, printed, sidecar.Program.Text }, text => Assert.DoesNotContain("quite-secret", text, StringComparison.Ordinal));
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
