using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace FleetHub.Tests;

/// <summary>The REST surface of a running hub: names, shapes, and what bad input gets.</summary>
public sealed class ApiTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task A_task_is_created_listed_shown_cancelled_and_retried_in_the_shapes_of_version_one()
    {
        using var hub = await TestHub.StartAsync(_directory);

        var first = await hub.AddAsync("first");
        var (status, created) = await SendAsync(hub, HttpMethod.Post, "/api/tasks", $$"""
            {"description":"all of it","priority":"critical","metadata":{"a":1 },"needed_capabilities":["x"],"repo":"/r","branch":"b","max_retries":1,"complete_by":99,
             "file_hints":[{"path":"p","reason":"r"}],"success_criteria":["c"],"verification_steps":[{"type":"t","target":"g","description":"d"}],"complexity_tier":"trivial",
             "skip_verification":true,"verification_timeout_ms":5,"max_verification_retries":2,"depends_on":["{{first}}"],"assign_to":"iris"}
            """);
        Assert.Equal(201, status);
        Assert.Equal("queued", created.GetProperty("status").GetString());
        Assert.Equal(0, created.GetProperty("priority").GetInt32());
        var id = created.GetProperty("task_id").GetString()!;
        Assert.Matches("^task-[0-9a-f]{16}$", id);

        var task = await hub.TaskAsync(id);
        foreach (var name in new[] { "id", "description", "metadata", "priority", "status", "generation", "retry_count", "max_retries", "needed_capabilities", "complete_by", "submitted_by", "created_at", "updated_at", "history", "repo", "branch" })
        {
            Assert.True(task.TryGetProperty(name, out _), name);
        }

        Assert.Equal("queued", task.GetProperty("history")[0].GetProperty("event").GetString());
        Assert.Equal(1, (await hub.GetAsync("/api/tasks?status=queued&priority=urgent")).GetProperty("count").GetInt32());
        Assert.Equal(0, (await hub.GetAsync("/api/tasks?assigned_to=nobody")).GetProperty("count").GetInt32());
        Assert.Equal(2, (await hub.GetAsync("/api/tasks/stats")).GetProperty("queued").GetInt32());
        Assert.Equal("cancelled", (await SendAsync(hub, HttpMethod.Post, $"/api/tasks/{id}/cancel")).Body.GetProperty("status").GetString());
        Assert.Equal(409, (await SendAsync(hub, HttpMethod.Post, $"/api/tasks/{id}/cancel")).Status);
        Assert.Equal("queued", (await SendAsync(hub, HttpMethod.Post, $"/api/tasks/{id}/retry")).Body.GetProperty("status").GetString());
        Assert.Equal(0, (await hub.GetAsync("/api/tasks/dead-letter")).GetProperty("count").GetInt32());
    }

    [Theory(Timeout = 60_000)]
    [InlineData("", 400, "invalid_json")]
    [InlineData("[]", 400, "invalid_json")]
    [InlineData("""{"description":5}""", 400, "invalid_json")]
    [InlineData("""{"description":"x","description":"y"}""", 400, "invalid_json")]
    [InlineData("{}", 422, "description is missing")]
    [InlineData("""{"description":"  "}""", 422, "description is missing")]
    [InlineData("""{"description":"x","priority":"soon"}""", 422, "priority")]
    [InlineData("""{"description":"x","max_retries":-1}""", 422, "max_retries")]
    [InlineData("""{"description":"x","max_verification_retries":-4}""", 422, "max_verification_retries must be 0 to 100")]
    [InlineData("""{"description":"x","verification_timeout_ms":0}""", 422, "verification_timeout_ms must be 1 to 604800000")]
    [InlineData("""{"description":"x","verification_timeout_ms":9223372036854775807}""", 422, "verification_timeout_ms")]
    [InlineData("""{"description":"x","complete_by":-5}""", 422, "complete_by must be a time")]
    [InlineData("""{"description":"x","needed_capabilities":[""]}""", 422, "needed_capabilities")]
    [InlineData("""{"description":"x","depends_on":["../x"]}""", 422, "depends_on")]
    [InlineData("""{"description":"x","depends_on":["task-unknown"]}""", 422, "does not exist")]
    [InlineData("""{"description":"x","repo":"ext::sh -c id"}""", 422, "repo")]
    [InlineData("""{"description":"x","repo":"/r","branch":"--upload-pack=id"}""", 422, "branch")]
    [InlineData("""{"description":"x","file_hints":[null]}""", 422, "file_hints")]
    [InlineData("""{"description":"x","repo":""}""", 422, "repo")]
    public async Task Bad_input_gets_an_error_that_names_the_field_and_stores_nothing(string body, int status, string part)
    {
        using var hub = await TestHub.StartAsync(_directory);

        var answer = await SendAsync(hub, HttpMethod.Post, "/api/tasks", body);

        Assert.Equal(status, answer.Status);
        Assert.Contains(part, answer.Body.ToString(), StringComparison.Ordinal);
        Assert.True(answer.Body.TryGetProperty("error", out _));
        Assert.Equal(0, (await hub.GetAsync("/api/tasks")).GetProperty("count").GetInt32());
    }

    [Fact(Timeout = 60_000)]
    public async Task What_is_not_there_is_404_with_a_word()
    {
        using var hub = await TestHub.StartAsync(_directory);

        foreach (var (method, path, word) in new[]
        {
            (HttpMethod.Get, "/api/tasks/task-0", "task_not_found"), (HttpMethod.Post, "/api/tasks/task-0/cancel", "task_not_found"),
            (HttpMethod.Post, "/api/tasks/task-0/retry", "task_not_found"), (HttpMethod.Get, "/api/agents/nobody/state", "agent_not_found"),
            (HttpMethod.Post, "/api/alerts/nothing/acknowledge", "alert_not_found"), (HttpMethod.Get, "/api/nothing", "not_found"),
        })
        {
            var answer = await SendAsync(hub, method, path);
            Assert.Equal(404, answer.Status);
            Assert.Equal(word, answer.Body.GetProperty("error").GetString());
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task A_wrong_method_and_a_huge_body_are_refused_in_the_same_shape_and_without_an_alarm()
    {
        using var hub = await TestHub.StartAsync(_directory);

        Assert.Equal("method_not_allowed", (await SendAsync(hub, HttpMethod.Delete, "/api/tasks")).Body.GetProperty("error").GetString());
        var huge = await SendAsync(hub, HttpMethod.Post, "/api/tasks", $$"""{"description":"{{new string('x', 3 * 1024 * 1024)}}"}""");

        Assert.Equal(413, huge.Status);
        Assert.Equal("body_too_large", huge.Body.GetProperty("error").GetString());
        Assert.DoesNotContain("<3>", hub.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Enrolment_needs_a_key_gives_each_id_one_token_and_the_token_works()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var key = await hub.TokenAsync("provisioning", "enrol");

        var (status, registered) = await SendAsync(hub, HttpMethod.Post, "/api/onboard/register", """{"agent_id":"noah"}""", key);
        Assert.Equal(201, status);
        Assert.Equal(hub.SocketUrl, registered.GetProperty("hub_ws_url").GetString());
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "noah", registered.GetProperty("token").GetString()!);

        Assert.Equal(409, (await SendAsync(hub, HttpMethod.Post, "/api/onboard/register", """{"agent_id":"noah"}""", key)).Status);
        Assert.Equal(422, (await SendAsync(hub, HttpMethod.Post, "/api/onboard/register", """{"agent_id":"../x"}""", key)).Status);
        Assert.Equal(403, (await SendAsync(hub, HttpMethod.Post, "/api/onboard/register", """{"agent_id":"eve"}""")).Status);
    }

    [Fact(Timeout = 60_000)]
    public async Task Of_many_machines_that_enrol_one_id_at_once_one_gets_it()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var key = await hub.TokenAsync("provisioning", "enrol");

        for (var round = 0; round < 10; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(hub, HttpMethod.Post, "/api/onboard/register", $$"""{"agent_id":"twin{{round}}"}""", key)));

            Assert.Equal([201, 409, 409, 409, 409, 409, 409, 409], answers.Select(answer => answer.Status).Order());
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task Dependencies_priorities_and_fresh_work_before_retries_decide_the_order()
    {
        using var hub = await TestHub.StartAsync(_directory, "--retry-delay", "00:00:00");
        var first = await hub.AddJsonAsync("""{"description":"low","priority":"low"}""");
        var second = await hub.AddJsonAsync("""{"description":"urgent","priority":"urgent"}""");
        var dependent = await hub.AddJsonAsync($$"""{"description":"after low","priority":"urgent","depends_on":["{{first}}"]}""");
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));

        foreach (var expected in new[] { second, first, dependent })
        {
            var assign = await agent.ReadAsync("task_assign");
            Assert.Equal(expected, assign.GetProperty("task_id").GetString());
            await agent.SendAsync($$"""{"type":"task_complete","result":{"status":"success"},"task_id":"{{expected}}","generation":{{assign.GetProperty("generation")}} }""");
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task L8_an_agent_that_never_accepts_costs_an_attempt_each_time_and_then_the_task_rests()
    {
        using var hub = await TestHub.StartAsync(_directory, "--accept-deadline", "00:00:00.3", "--retry-delay", "00:00:00");
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));

        var task = await hub.AddAsync("ignore me", maxRetries: 2);

        await hub.WaitForAsync(task, "dead_letter");
        Assert.Equal(3, await hub.CountAsync(task, "assigned"));
    }

    [Fact(Timeout = 60_000)]
    public async Task An_agent_that_is_connected_but_not_available_gets_nothing()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.ConnectAsync(hub.SocketUrl);
        await agent.SendAsync($$"""{"type":"identify","agent_id":"iris","protocol_version":2,"token":"{{await hub.TokenAsync("iris")}}"}""");
        await agent.ReadAsync("identified");
        await agent.SendAsync("""{"type":"heartbeat","timestamp":1,"state":"idle","available":false,"unavailable_reason":"disk full","slots":1,"runs":[]}""");
        await agent.ReadAsync("pong");
        var task = await hub.AddAsync("x");
        Assert.Equal("unavailable", (await hub.GetAsync("/api/agents")).GetProperty("agents")[0].GetProperty("status").GetString());
        Assert.Equal("queued", (await hub.TaskAsync(task)).GetProperty("status").GetString());

        await agent.BeatAsync();

        Assert.Equal(task, (await agent.ReadAsync("task_assign")).GetProperty("task_id").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task The_same_message_again_is_acknowledged_and_changes_nothing()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var agent = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        var task = await hub.AddAsync("x");
        await agent.ReadAsync("task_assign");
        var complete = $$"""{"type":"task_complete","task_id":"{{task}}","generation":1,"result":{"status":"success","output":"once"},"message_id":"m-1"}""";

        foreach (var _ in Enumerable.Range(0, 3))
        {
            await agent.SendAsync(complete);
            var ack = await agent.ReadAsync("task_ack");
            Assert.Equal("m-1", ack.GetProperty("message_id").GetString());
            Assert.Equal("complete", ack.GetProperty("status").GetString());
        }

        Assert.Equal(1, await hub.CountAsync(task, "completed"));
    }

    [Fact(Timeout = 60_000)]
    public async Task The_dashboard_page_is_served_without_data_and_its_data_needs_the_token()
    {
        using var hub = await TestHub.StartAsync(_directory);
        await hub.AddAsync("<script>alert(1)</script>");

        using var response = await hub.Client.GetAsync(new Uri("/", UriKind.Relative));
        var page = await response.Content.ReadAsStringAsync();

        Assert.Contains("default-src 'none'", string.Join(' ', response.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        Assert.DoesNotContain("alert(1)", page, StringComparison.Ordinal);
        Assert.DoesNotContain("innerHTML", page, StringComparison.Ordinal);
        var data = await hub.GetAsync("/api/dashboard");
        Assert.Equal(1, data.GetProperty("tasks").GetArrayLength());
        Assert.Equal("no_agent", data.GetProperty("alerts")[0].GetProperty("rule").GetString());
        await SendAsync(hub, HttpMethod.Post, "/api/alerts/no_agent/acknowledge");
        Assert.True((await hub.GetAsync("/api/alerts")).GetProperty("alerts")[0].GetProperty("acknowledged").GetBoolean());
    }

    private static async Task<(int Status, JsonElement Body)> SendAsync(TestHub hub, HttpMethod method, string path, string? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Authorization = token is null ? hub.Client.DefaultRequestHeaders.Authorization : new AuthenticationHeaderValue("Bearer", token);
        using var response = await hub.Client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return ((int)response.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement);
    }
}
