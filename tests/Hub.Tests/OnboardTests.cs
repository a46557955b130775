using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace FleetHub.Tests;

/// <summary>What an agent may ask of the hub with its own token: who it is, and a task for itself alone.</summary>
public sealed class OnboardTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task A_proof_is_for_the_agent_whose_token_asks_one_at_a_time_and_a_few_an_hour()
    {
        using var hub = await TestHub.StartAsync(_directory);
        var (iris, noah, key) = (await hub.TokenAsync("iris"), await hub.TokenAsync("noah"), await hub.TokenAsync("provisioning", "enrol"));

        Assert.Equal("iris", (await SendAsync(hub, HttpMethod.Get, "self", iris)).Body.GetProperty("agent_id").GetString());
        Assert.Equal(401, (await SendAsync(hub, HttpMethod.Get, "self", "fleet_wrong")).Status);
        Assert.Equal(403, (await SendAsync(hub, HttpMethod.Post, "prove", key, "{}")).Status); // An enrolment key gives no work.
        Assert.Equal(403, (await SendAsync(hub, HttpMethod.Post, "prove", iris, """{"agent_id":"noah"}""")).Status);
        Assert.Equal(400, (await SendAsync(hub, HttpMethod.Post, "prove", iris, "x")).Status);

        var (status, task) = await SendAsync(hub, HttpMethod.Post, "prove", iris, """{"agent_id":"iris"}""");
        var id = task.GetProperty("id").GetString()!;
        Assert.Equal(201, status);
        Assert.True(task.GetProperty("metadata").GetProperty("noop").GetBoolean());
        Assert.Equal("iris", (await hub.TaskAsync(id)).GetProperty("assign_to").GetString());
        Assert.Equal(id, (await SendAsync(hub, HttpMethod.Post, "prove", iris, "{}")).Body.GetProperty("id").GetString());
        Assert.Equal("queued", (await SendAsync(hub, HttpMethod.Get, $"prove/{id}", iris)).Body.GetProperty("status").GetString());
        Assert.Equal(404, (await SendAsync(hub, HttpMethod.Get, $"prove/{id}", noah)).Status);
        Assert.Equal(404, (await SendAsync(hub, HttpMethod.Get, $"prove/{await hub.AddAsync("other")}", iris)).Status);

        for (var more = 1; more < 6; more++)
        {
            await hub.Client.PostAsync(new Uri($"/api/tasks/{id}/cancel", UriKind.Relative), null);
            (status, task) = await SendAsync(hub, HttpMethod.Post, "prove", iris, "{}");
            Assert.Equal(201, status);
            id = task.GetProperty("id").GetString()!;
        }

        await hub.Client.PostAsync(new Uri($"/api/tasks/{id}/cancel", UriKind.Relative), null);
        Assert.Equal(429, (await SendAsync(hub, HttpMethod.Post, "prove", iris, "{}")).Status);
        Assert.Equal(201, (await SendAsync(hub, HttpMethod.Post, "prove", noah, """{"wake_agent":true}""")).Status);
    }

    private static async Task<(int Status, JsonElement Body)> SendAsync(TestHub hub, HttpMethod method, string path, string token, string? body = null)
    {
        using var request = new HttpRequestMessage(method, $"/api/onboard/{path}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await hub.Client.SendAsync(request);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }
}
