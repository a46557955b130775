using FleetSidecar.Drain;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>Assignments that wait in memory: begun when they can, given back in time, gone with their task.</summary>
public sealed class HeldAssignmentTests
{
    private const long Now = 1_000_000;

    [Fact]
    public void An_assignment_waits_for_the_end_of_the_agent_of_a_cancelled_attempt_and_then_begins()
    {
        var book = Cancelled();
        Apply(book, Now, Assigned(2));
        Assert.Single(book.Held);

        var ended = Apply(book, Now + 5_000, Gone(book));

        Assert.Empty(book.Held);
        Assert.Equal(2, Assert.Single(book.Open, run => !run.State.IsFinal()).Generation);
        Assert.Contains(ended.Added, message => message.Kind == "task_accepted" && message.Payload.Contains("\"generation\":2", StringComparison.Ordinal));
        Assert.Empty(ended.Rejections);
    }

    [Fact]
    public void An_agent_that_does_not_end_before_the_accept_deadline_costs_a_rejection_by_its_name()
    {
        var book = Cancelled();
        Apply(book, Now, Assigned(2));

        Assert.Empty(Apply(book, Now + 49_000, new RunInput.Beat()).Rejections);
        Assert.Equal("agent_still_alive", Assert.Single(Apply(book, Now + 50_000, new RunInput.Beat()).Rejections).Reason);
        Assert.Empty(book.Held);
    }

    [Fact]
    public void A_burst_at_a_version_one_hub_is_worked_off_one_by_one()
    {
        var book = Some.Book(Some.Config());
        Apply(book, Now, [.. Enumerable.Range(1, 5).Select(number => Assigned(1, $"task-{number}", hubTakesRejections: false))]);
        Assert.Equal(4, book.Held.Count);

        for (var left = 3; left >= 0; left--)
        {
            var run = Assert.Single(book.Open, run => run.TakesSlot);
            var draft = Apply(book, Now + 1_000, new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with
            {
                Facts = now.Facts with { WakeProblem = new Failure(FailureClass.Config, "x"), Failure = new Failure(FailureClass.Config, "x") },
            }));
            Assert.Equal(left, book.Held.Count);
            Assert.Empty(draft.Rejections);
        }
    }

    [Fact]
    public void A_paused_machine_gives_a_version_one_assignment_up_without_a_word()
    {
        var book = Some.Book(Some.Config(), new Closure("paused", "x"));
        Apply(book, Now, Assigned(1, hubTakesRejections: false));
        Assert.True(Assert.Single(book.Held).IsDoor);

        var draft = Apply(book, Now + 50_000, new RunInput.Beat());

        Assert.Single(draft.Dropped);
        Assert.Empty(draft.Rejections);
        Assert.Empty(draft.Added);
    }

    [Fact]
    public void A_held_assignment_goes_with_its_task()
    {
        var book = Cancelled();
        Apply(book, Now, Assigned(2));
        Apply(book, Now, new RunInput.Cancelled("task-1", 2, "x"));
        Assert.Empty(book.Held);

        Apply(book, Now, Assigned(3));
        Apply(book, Now, new RunInput.TakenAway("task-1", "x"));
        Assert.Empty(book.Held);
    }

    [Fact]
    public void A_hub_that_sends_without_end_fills_nothing()
    {
        var book = Some.Book(Some.Config());

        var draft = Apply(book, Now, [.. Enumerable.Range(1, 500).Select(number => Assigned(1, $"task-{number}", hubTakesRejections: false))]);

        Assert.Equal(64, book.Held.Count);
        Assert.Equal(500 - 64 - 1, draft.Rejections.Count);
    }

    [Fact]
    public void An_abort_for_the_generation_that_was_reported_is_void_once_a_higher_one_is_adopted_and_the_report_is_made_again()
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run()], []);
        Apply(book, Now, Assigned(3));

        var draft = Apply(book, Now, new RunInput.TakenAway("task-1", "abort", Generation: 1));

        Assert.False(Assert.Single(book.Open).IsEnding);
        Assert.Empty(Apply(book, Now, new RunInput.TakenAway("task-1", "abort", Generation: 4)).Changed); // Never reported.
        Assert.Equal(3, Assert.Single(draft.Reports).Generation);
        Assert.True(Assert.Single(Apply(book, Now, new RunInput.TakenAway("task-1", "abort", Generation: 3)).Changed).IsEnding);
    }

    [Fact]
    public void An_outcome_that_is_said_again_for_a_settled_run_leaves_the_outbox_when_the_hub_refuses_it()
    {
        var settled = Some.Run(RunState.Settled) with { Facts = new RunFacts { Delivered = true } };
        var book = new RunBook(Some.Config(), _ => [settled], () => null, () => null);

        var said = Apply(book, Now, Assigned(4));
        Assert.Equal(["task_accepted", "task_complete"], said.Added.Select(message => message.Kind));
        Assert.All(said.Added, message => Assert.Contains("\"generation\":4", message.Payload, StringComparison.Ordinal));

        var heard = Apply(book, Now, new RunInput.Refused(said.Added.Last().MessageId, "task_complete_failed: stale_generation"));
        Assert.Equal(2, heard.Removed.Count);
    }

    private static RunBook Cancelled()
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run() with { Facts = new RunFacts { CancelReason = "x" } }], []);
        return book;
    }

    private static RunInput.Assigned Assigned(long generation, string task = "task-1", bool hubTakesRejections = true) =>
        new(Some.Assign(task, generation), Now, hubTakesRejections);

    private static RunInput.Learned Gone(RunBook book)
    {
        var run = Assert.Single(book.Open);
        return new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with { Facts = now.Facts with { End = new ProcessEnd(143, Now) } });
    }

    private static RunDraft Apply(RunBook book, long now, params RunInput[] inputs)
    {
        var draft = book.Begin(now);
        foreach (var input in inputs)
        {
            book.Apply(draft, input);
        }

        book.Release(draft);
        book.Take(draft);
        return draft;
    }
}
