using System.Text;
using System.Text.Json;
using FleetHub.Api;
using FleetHub.Tasks;
using FleetSidecar.Protocol;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Tests;

/// <summary>Whatever a body of the API holds, it is a task or refused; what is taken can be stored, listed and sent to an agent.</summary>
public sealed class HostileBodyTests(ITestOutputHelper output)
{
    private const string Good = """
        {"description":"all of it 😀","priority":"high","metadata":{"a":1,"b":{"c":["x"]}},"needed_capabilities":["x"],"max_retries":1,"complete_by":99,
         "file_hints":[{"path":"p","reason":"r"}],"success_criteria":["c"],"verification_steps":[{"type":"t","target":"g","description":"d"}],"complexity_tier":"trivial",
         "verification_timeout_ms":5,"max_verification_retries":2}
        """;

    [Fact]
    public void A_body_is_a_task_that_can_be_stored_listed_and_sent_or_it_is_refused()
    {
        var taken = 0;
        HostileText.Feed(8_000, [Encoding.UTF8.GetBytes(Good)], bytes =>
        {
            if (OutsideJson.Read(bytes, HubJson.Body.NewTask) is not { } body || NewTaskRules.Complaint(body) is not null)
            {
                return;
            }

            taken++;
            var stored = JsonSerializer.Serialize<TaskSpec>(body, HubJson.Compact.TaskSpec);
            var task = new TaskRecord
            {
                Id = "task-1", Status = TaskStatus.Queued, Priority = 1, Spec = OutsideJson.Read(stored, HubJson.Compact.TaskSpec, out var problem) ?? throw new InvalidOperationException(problem),
                SubmittedBy = "test", CreatedAt = 1, UpdatedAt = 1, Generation = 1,
            };
            JsonSerializer.SerializeToUtf8Bytes(new TaskList([TaskView.Of(task, new HubOptions())], 1), HubJson.Compact.TaskList);
            Assert.True(Frame.TryRead(Frame.Write(Assignments.For(task)), out HubMessage? _, out var refusal), refusal?.ToString());
        }, output.WriteLine);

        Assert.True(taken > 500, $"{taken} were taken");
    }

    [Fact]
    public void Registrations_and_proofs_are_values_or_refused() =>
        HostileText.Feed(2_000, ["""{"agent_id":"noah","wake_agent":true}"""u8.ToArray()], bytes =>
        {
            OutsideJson.Read(bytes, HubJson.Body.Registration);
            OutsideJson.Read(bytes, HubJson.Body.ProofRequest);
        }, output.WriteLine);
}
