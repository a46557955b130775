using FleetSidecar.Drain;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>Which decision an assignment gets: never a second run while one may live, never work that is known to be done.</summary>
public sealed class AssignRulesTests
{
    private static readonly Closure Paused = new("paused", "by the operator");

    [Fact]
    public void A_run_that_is_being_cancelled_is_not_adopted_and_the_assignment_waits_for_its_end()
    {
        var dying = Ending(new RunFacts { CancelReason = "x" });

        Assert.Equal("agent_still_alive", Assert.IsType<AssignDecision.Hold>(Decide(2, dying)).Reason);
        Assert.Equal("agent_still_alive", Assert.IsType<AssignDecision.Hold>(Decide(1, dying)).Reason);
    }

    [Fact]
    public void A_run_that_is_failing_is_repeated_under_its_own_generation_and_held_for_a_higher_one()
    {
        var failing = Ending(new RunFacts { Failure = new Failure(FailureClass.Timeout, "x") });

        Assert.IsType<AssignDecision.Repeat>(Decide(1, failing));
        Assert.IsType<AssignDecision.Hold>(Decide(2, failing));
    }

    [Fact]
    public void A_run_at_work_is_adopted_by_a_higher_generation()
    {
        Assert.IsType<AssignDecision.Adopt>(Decide(2, Some.Run()));
        Assert.IsType<AssignDecision.Repeat>(Decide(1, Some.Run()));
        Assert.Equal("stale_generation", Assert.IsType<AssignDecision.Reject>(Decide(0, Some.Run())).Reason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public void A_completion_that_the_hub_has_forgotten_is_said_again_under_any_generation(long generation)
    {
        var done = Settled(2, new RunFacts { Delivered = true, HubAnswer = "complete" });

        Assert.Same(done, Assert.IsType<AssignDecision.SayAgain>(Decide(generation, null, done)).Run);
    }

    [Theory]
    [InlineData("retried", null)]
    [InlineData(null, "task_complete_failed: stale_generation")]
    public void A_completion_that_the_hub_did_not_take_is_no_known_outcome(string? answer, string? refusal)
    {
        var settled = Settled(1, new RunFacts { Delivered = true, HubAnswer = answer, HubRefusal = refusal });

        Assert.IsType<AssignDecision.Start>(Decide(2, null, settled));
    }

    [Fact]
    public void A_known_failure_is_said_again_for_its_own_generation_and_a_higher_one_is_a_new_attempt()
    {
        var failed = Settled(2, new RunFacts { Failure = new Failure(FailureClass.AgentError, "x") });

        Assert.IsType<AssignDecision.SayAgain>(Decide(2, null, failed));
        Assert.IsType<AssignDecision.SayAgain>(Decide(1, null, failed));
        Assert.IsType<AssignDecision.Start>(Decide(3, null, failed));
    }

    [Fact]
    public void A_cancelled_generation_has_no_outcome_and_is_not_run_again()
    {
        var cancelled = Settled(2, new RunFacts { CancelReason = "x" });

        Assert.IsType<AssignDecision.Reject>(Decide(2, null, cancelled));
        Assert.IsType<AssignDecision.Start>(Decide(3, null, cancelled));
    }

    [Fact]
    public void Busy_and_closed_are_rejected_where_the_hub_knows_the_word_and_held_where_it_would_count_a_failure()
    {
        Assert.Equal("busy", Assert.IsType<AssignDecision.Reject>(Decide(1, null, slotsTaken: 1)).Reason);
        Assert.Equal("paused", Assert.IsType<AssignDecision.Reject>(Decide(1, null, closed: Paused)).Reason);
        Assert.False(Assert.IsType<AssignDecision.Hold>(Decide(1, null, slotsTaken: 1, rejections: false)).IsDoor);
        Assert.True(Assert.IsType<AssignDecision.Hold>(Decide(1, null, closed: Paused, rejections: false)).IsDoor);
    }

    private static AssignDecision Decide(long generation, Run? open, Run? settled = null, int slotsTaken = 0, Closure? closed = null, bool rejections = true) =>
        AssignRules.Decide(Some.Assign(generation: generation), new AssignScene(open, settled is null ? [] : [settled], slotsTaken, 1, closed, rejections));

    private static Run Ending(RunFacts facts) => Some.Run() with { Facts = facts };

    private static Run Settled(long generation, RunFacts facts) => Some.Run(RunState.Settled, generation: generation) with { Facts = facts };
}
