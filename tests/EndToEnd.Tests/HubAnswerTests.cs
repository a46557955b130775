using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>An outcome is given up only where the hub says that it has it, or that the attempt no longer counts.</summary>
public sealed class HubAnswerTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData(2, """{"type":"error","error":"internal_error","task_id":"task-1","message_id":"ID"}""")]
    [InlineData(2, """{"type":"error","error":"task_complete_failed: store_unavailable","task_id":"task-1","message_id":"ID"}""")]
    [InlineData(2, """{"type":"error","error":"task_complete_failed: stale_generation","task_id":"task-2","message_id":"ID"}""")]
    [InlineData(2, """{"type":"task_ack","task_id":"task-2","status":"complete","message_id":"ID"}""")]
    [InlineData(2, """{"type":"task_ack","task_id":"task-1","status":"accepted","message_id":"ID"}""")]
    [InlineData(1, """{"type":"error","error":"task_complete_failed: store_unavailable"}""")]
    public async Task An_answer_that_says_neither_leaves_the_outcome_to_be_said_again(int version, string answer)
    {
        await using var hub = await ScriptedHub.StartAsync(version);
        hub.Answer = frame => IsOutcome(frame) ? answer.Replace("ID", IdOf(frame), StringComparison.Ordinal) : null;
        Scripts.Go(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        await hub.WaitForAsync("task_complete");

        hub.Answer = null;
        hub.Drop();

        await hub.WaitForAsync("task_complete", 2);
        await sidecar.WaitForStatusAsync(status => status.GetProperty("outbox_messages").GetInt32() == 0, "an empty outbox");
        Assert.Single(Scripts.Executions(_directory));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_refusal_of_the_attempt_settles_it()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        hub.Answer = frame => !IsOutcome(frame) ? null
            : $$"""{"type":"error","error":"task_complete_failed: stale_generation","task_id":"task-1","message_id":"{{IdOf(frame)}}"}""";
        Scripts.Go(_directory);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");

        await hub.WaitForAsync("task_complete");

        await sidecar.WaitForStatusAsync(status => status.GetProperty("outbox_messages").GetInt32() == 0 && status.GetProperty("runs").GetArrayLength() == 0, "a settled run");
    }

    private static bool IsOutcome(JsonElement frame) => frame.GetProperty("type").GetString() == "task_complete";

    private static string IdOf(JsonElement frame) => frame.TryGetProperty("message_id", out var id) ? id.GetString()! : "";
}
