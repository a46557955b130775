using FleetHub.Tasks;
using FleetSidecar.Protocol;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Tests;

/// <summary>The life of a task at the hub, without a hub.</summary>
public sealed class TaskRulesTests
{
    private const long Now = 1_000_000;
    private static readonly HubOptions Options = new();

    [Fact]
    public void Retries_wait_longer_each_time_and_end_in_the_dead_letters()
    {
        var task = Held();
        var waits = new List<long>();
        for (var attempt = 0; attempt < 4; attempt++)
        {
            task = TaskRules.Failed(task with { Status = TaskStatus.Working, AssignedTo = "iris" }, "x", Now, Options).Task;
            waits.Add(task.Status == TaskStatus.DeadLetter ? -1 : task.NotBefore - Now);
        }

        Assert.Equal([0, 30_000, 120_000, -1], waits);
    }

    [Fact]
    public void An_assignment_that_nobody_accepts_counts_as_an_attempt_so_it_cannot_go_round_for_ever()
    {
        var task = Held() with { Status = TaskStatus.Assigned, AcceptBy = Now };

        var change = TaskRules.Overdue(task, Now, Options)!;

        Assert.Equal(1, change.Task.RetryCount);
        Assert.Null(change.Task.AssignedTo);
    }

    [Fact]
    public void Whose_lease_ran_out_may_still_bring_the_work_until_somebody_else_was_asked()
    {
        var lapsed = TaskRules.Overdue(Held() with { LeaseUntil = Now }, Now, Options)!.Task;

        Assert.Equal(TaskStatus.Queued, lapsed.Status);
        Assert.Null(TaskRules.Refuse(lapsed, "iris", 1));
        Assert.NotNull(TaskRules.Refuse(lapsed, "mallory", 1));
        var again = TaskRules.Assign(lapsed, "noah", Now, Options).Task;
        Assert.Equal("not_assigned_to_you", TaskRules.Refuse(again, "iris", 1));
        Assert.Equal(2, again.Generation);
    }

    [Theory]
    [InlineData("iris", 1L, null)]
    [InlineData("iris", null, null)]
    [InlineData("iris", 0L, "stale_generation")]
    [InlineData("iris", 2L, "stale_generation")]
    [InlineData("mallory", 1L, "not_assigned_to_you")]
    public void A_message_is_believed_from_the_agent_that_holds_the_task_under_its_generation(string agent, long? generation, string? refusal) =>
        Assert.Equal(refusal, TaskRules.Refuse(Held(), agent, generation));

    [Fact]
    public void Nothing_is_believed_about_a_finished_or_unknown_task()
    {
        Assert.Equal("not_found", TaskRules.Refuse(null, "iris", 1));
        Assert.Equal("invalid_state", TaskRules.Refuse(Held() with { Status = TaskStatus.Completed }, "iris", 1));
        Assert.Equal("stale_generation", TaskRules.Refuse(Held() with { Status = TaskStatus.Completed }, "iris", 0));
    }

    [Theory]
    [InlineData("success", null, 0, TaskStatus.Completed)]
    [InlineData("success", "pass", 0, TaskStatus.Completed)]
    [InlineData("success", "fail", 0, TaskStatus.Queued)]
    [InlineData("success", null, 1, TaskStatus.Queued)]
    [InlineData("failed", null, 0, TaskStatus.Queued)]
    [InlineData("", null, 0, TaskStatus.Queued)]
    public void A_completion_is_judged_by_its_evidence(string status, string? verification, int exitCode, string expected)
    {
        var message = new SidecarMessage.TaskComplete
        {
            TaskId = "task-1", Generation = 1, Result = new TaskResult { Status = status, ExitCode = exitCode },
            VerificationReport = verification is null ? null : new VerificationReport { Status = verification, Checks = [] },
        };

        Assert.Equal(expected, TaskRules.Complete(Held(), message, null, null, Now, Options).Task.Status);
    }

    [Fact]
    public void A_completion_without_a_result_at_all_is_taken_as_version_one_agents_send_it()
    {
        var message = new SidecarMessage.TaskComplete { TaskId = "task-1", Generation = 1 };

        Assert.Equal(TaskStatus.Completed, TaskRules.Complete(Held(), message, null, null, Now, Options).Task.Status);
    }

    [Fact]
    public void A_hand_off_and_a_rejection_do_not_count_as_attempts()
    {
        Assert.Equal(0, TaskRules.Requeue(Held(), "x", Now, TimeSpan.Zero).Task.RetryCount);
    }

    [Fact]
    public void Only_what_is_over_or_waiting_is_retried_by_hand_and_what_is_over_is_not_cancelled()
    {
        Assert.Null(TaskRules.Retry(Held(), "op", Now));
        Assert.Null(TaskRules.Cancel(Held() with { Status = TaskStatus.Completed }, "op", Now));
        Assert.Equal(TaskStatus.Queued, TaskRules.Retry(Held() with { Status = TaskStatus.DeadLetter, RetryCount = 3 }, "op", Now)!.Task.Status);
        Assert.Equal(TaskStatus.Cancelled, TaskRules.Cancel(Held(), "op", Now)!.Task.Status);
    }

    [Fact]
    public void Work_goes_to_agents_that_can_do_it_as_far_as_slots_go()
    {
        TaskRecord Task(string id, params string[] needs) => Held() with { Id = id, Status = TaskStatus.Queued, Spec = new TaskSpec { Description = "x", NeededCapabilities = needs } };
        var agents = new[] { new Candidate("plain", [], 1), new Candidate("coder", ["Code"], 2), new Candidate("full", ["code", "gpu"], 1), new Candidate("busy", ["code"], 0) };

        var pairs = Matching.Pair([Task("a", "gpu"), Task("b", "code"), Task("c"), Task("d", "code"), Task("e", "quantum"), Task("f")], agents).ToDictionary(pair => pair.Task.Id, pair => pair.AgentId);

        Assert.Equal("full", pairs["a"]);
        Assert.Equal("coder", pairs["b"]);
        Assert.Equal("plain", pairs["c"]);
        Assert.Equal("coder", pairs["d"]);
        Assert.DoesNotContain("e", pairs.Keys);
        Assert.DoesNotContain("f", pairs.Keys);
        Assert.Equal(["coder"], Matching.Pair([Task("g") with { Spec = new TaskSpec { Description = "x", AssignTo = "coder" } }], agents).Select(pair => pair.AgentId));
    }

    private static TaskRecord Held() => new()
    {
        Id = "task-1", Status = TaskStatus.Working, Priority = 2, Spec = new TaskSpec { Description = "x" }, AssignedTo = "iris", LeaseUntil = Now + 1000, Generation = 1,
        SubmittedBy = "op", CreatedAt = 0, UpdatedAt = 0,
    };
}
