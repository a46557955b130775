using FleetHub.Tasks;
using FleetSidecar.Protocol;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Tests;

/// <summary>A run must show a sign after a new connection; and what the hub's options must satisfy for it to be fair.</summary>
public sealed class SignRulesTests
{
    private const long Now = 1_000_000;
    private static readonly HubOptions Options = new();
    private static readonly long Deadline = Now + (long)Options.AcceptDeadline.TotalMilliseconds;

    [Fact]
    public void A_run_without_a_sign_is_taken_back_at_the_accept_deadline_and_counts_as_an_attempt()
    {
        var asked = TaskRules.AskForSign(Working(), Now, Options) with { LeaseUntil = long.MaxValue };

        Assert.Null(TaskRules.Overdue(asked, Deadline - 1, Options));
        var taken = TaskRules.Overdue(asked, Deadline, Options)!;
        Assert.Equal(1, taken.Task.RetryCount);
        Assert.Contains("gave no sign of the run", taken.Task.LastError, StringComparison.Ordinal);
        Assert.Null(TaskRules.Refuse(taken.Task, "iris", 1)); // Its work is still welcome until another agent is asked.
    }

    [Fact]
    public void Asking_again_gives_no_more_time_and_a_sign_ends_the_asking()
    {
        var asked = TaskRules.AskForSign(Working(), Now, Options);

        Assert.Equal(asked, TaskRules.AskForSign(asked, Now + 5_000, Options));
        Assert.Null(TaskRules.Renew(asked, Now, Options).AcceptBy);
        Assert.Null(TaskRules.StopAsking(asked).AcceptBy);
    }

    [Fact]
    public void An_assignment_keeps_its_deadline_whatever_is_heard_of_its_agent()
    {
        var assigned = Working() with { Status = TaskStatus.Assigned, AcceptBy = Now + 7 };

        Assert.Equal(Now + 7, TaskRules.Renew(assigned, Now, Options).AcceptBy);
        Assert.Equal(assigned, TaskRules.AskForSign(assigned, Now, Options));
        Assert.Equal(assigned, TaskRules.StopAsking(assigned));
    }

    [Fact]
    public void A_restart_of_the_hub_awaits_signs_only_of_agents_that_are_back()
    {
        var forgiven = TaskRules.Forgive(TaskRules.AskForSign(Working(), 0, Options), Now, Options);

        Assert.Null(forgiven.AcceptBy);
        Assert.Equal(Now + (long)Options.Lease.TotalMilliseconds, forgiven.LeaseUntil);
        Assert.Equal(Deadline, TaskRules.Forgive(Working() with { Status = TaskStatus.Assigned, AcceptBy = 1 }, Now, Options).AcceptBy);
    }

    [Theory]
    [InlineData(40, 90, false)]
    [InlineData(90, 90, false)]
    [InlineData(119, 90, false)]
    [InlineData(120, 90, true)]
    [InlineData(4, 3, true)]
    public void A_lease_outlasts_the_idle_limit_by_a_third(int lease, int idle, bool fits) =>
        Assert.Equal(fits, HubOptionsRules.Complaint(new HubOptions { Lease = TimeSpan.FromSeconds(lease), IdleLimit = TimeSpan.FromSeconds(idle) }) is null);

    [Fact]
    public void The_defaults_fit_together() => Assert.Null(HubOptionsRules.Complaint(new HubOptions()));

    [Theory]
    [InlineData("task_accepted", "accepted", true)]
    [InlineData("task_complete", "accepted", false)]
    [InlineData("task_complete", "complete", true)]
    [InlineData("task_fail", "noted", false)]
    [InlineData("wake_result", "noted", true)]
    public void An_answer_that_is_known_belongs_to_messages_of_its_kind(string what, string answer, bool fits) =>
        Assert.Equal(fits, new TaskMessage(what, "task-1", 1, "m").Fits(answer));

    [Theory]
    [InlineData(60_000, 0, null)]
    [InlineData(1_000, 1_100_000, "the limit is 524288")]
    [InlineData(60_000, 1_048_400, "the limit is 524288")]
    public void What_the_wire_cannot_carry_is_refused(int description, int metadata, string? part)
    {
        var spec = new TaskSpec
        {
            Description = new string('x', description),
            Metadata = System.Text.Json.JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["a"] = new string('y', metadata) }),
        };

        var complaint = Assignments.Complaint(spec);

        Assert.Equal(part is null, complaint is null);
        Assert.Contains(part ?? "", complaint ?? "", StringComparison.Ordinal);
        Assert.True(part is not null || Frame.Write(Assignments.For(Working() with { Spec = spec })).Length <= WireLimits.MaxFrameBytes);
    }

    private static TaskRecord Working() => new()
    {
        Id = "task-1", Status = TaskStatus.Working, Priority = 2, Spec = new TaskSpec { Description = "x" }, AssignedTo = "iris", LeaseUntil = Now + 1000,
        Generation = 1, SubmittedBy = "op", CreatedAt = 0, UpdatedAt = 0,
    };
}
