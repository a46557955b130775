using FleetSidecar.Agents;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>What the book makes of inputs: assignments, adoption, endings, acknowledgements. No disk, no clock, no process.</summary>
public sealed class RunBookTests
{
    private static readonly ProcessIdentity Process = new(4242, 7, "boot");

    [Fact]
    public void An_assignment_without_a_repository_is_accepted_and_ready_to_wake_in_one_commit()
    {
        var book = Some.Book(Some.Config());

        var draft = Apply(book, Some.Assigned(Some.Assign()));

        Assert.Equal(RunState.Waking, Assert.Single(draft.Changed).State);
        Assert.Equal("task_accepted", Assert.Single(draft.Added).Kind);
    }

    [Fact]
    public void The_same_assignment_again_starts_nothing_and_says_once_more_that_it_is_here()
    {
        var book = Some.Book(Some.Config());
        Apply(book, Some.Assigned(Some.Assign()));

        var draft = Apply(book, Some.Assigned(Some.Assign()));

        Assert.Empty(draft.Changed);
        Assert.Equal("task_accepted", Assert.Single(draft.Added).Kind);
        Assert.Single(book.Open);
    }

    [Fact]
    public void A_higher_generation_is_adopted_by_the_run_in_progress_and_what_was_unheard_is_said_anew()
    {
        var book = Some.Book(Some.Config());
        Apply(book, Some.Assigned(Some.Assign(generation: 1)));

        var draft = Apply(book, Some.Assigned(Some.Assign(generation: 3)));

        Assert.Equal(3, Assert.Single(book.Open).Generation);
        Assert.Contains("\"generation\":3", Assert.Single(draft.Added).Payload, StringComparison.Ordinal);
        Assert.Single(draft.Removed);
    }

    [Theory]
    [InlineData("completed", true)]
    [InlineData("failed", false)]
    public void A_higher_generation_adopts_finished_work_and_retries_failed_work(string word, bool adopted)
    {
        var state = RunStates.Parse(word);
        var book = Some.Book(Some.Config());
        book.Load([Some.Run(state)], [new("run-task-1-1.1.final", "run-task-1-1", "task-1", "task_complete", "{}", 1)]);

        var draft = Apply(book, Some.Assigned(Some.Assign(generation: 2)));

        Assert.Equal(adopted ? 1 : 2, book.Open.Count);
        Assert.Equal(adopted, draft.Added.Any(message => message.Kind == "task_complete"));
    }

    [Theory]
    [InlineData(0, "stale_generation")]
    [InlineData(1, null)]
    public void A_lower_generation_is_rejected_as_stale(long generation, string? reason)
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run(RunState.Working)], []);

        var draft = Apply(book, Some.Assigned(Some.Assign(generation: generation)));

        Assert.Equal(reason, draft.Rejections.FirstOrDefault()?.Reason);
    }

    [Fact]
    public void A_settled_generation_is_not_run_again()
    {
        var book = new RunBook(Some.Config(), _ => [Some.Run(RunState.Settled, generation: 2)], () => null, () => null);

        Assert.Equal("stale_generation", Apply(book, Some.Assigned(Some.Assign(generation: 2))).Rejections.Single().Reason);
        Assert.Empty(Apply(book, Some.Assigned(Some.Assign(generation: 3))).Rejections);
    }

    [Fact]
    public void No_more_runs_than_slots_and_none_while_closed()
    {
        var book = Some.Book(Some.Config(slots: 2));
        foreach (var task in new[] { "a", "b", "c" })
        {
            var draft = Apply(book, Some.Assigned(Some.Assign(task)));
            Assert.Equal(task == "c" ? "busy" : null, draft.Rejections.FirstOrDefault()?.Reason);
        }

        Assert.Equal("stopping", Apply(Some.Book(Some.Config(), new Closure("stopping", "x")), Some.Assigned(Some.Assign("d"))).Rejections.Single().Reason);
        Assert.Equal(2, book.Open.Count);
    }

    [Fact]
    public void A_failure_is_told_only_after_the_process_is_gone()
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run(RunState.Working)], []);

        var missed = Apply(book, new RunInput.DeadlinePassed("run-task-1-1", RunState.Working, "wall_clock"));
        var run = Assert.Single(book.Open);
        Assert.Equal(RunState.Working, run.State);
        Assert.Empty(missed.Added);
        Assert.Equal(OrderKind.Stop, RunPolicy.OrderFor(run).Kind);

        var ended = Apply(book, Ended(run, new ProcessEnd(143, 9)));
        Assert.Equal(RunState.Failed, Assert.Single(book.Open).State);
        Assert.Contains("\"deadline\":\"wall_clock\"", Assert.Single(ended.Added).Payload, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_launch_is_resolved_before_anybody_is_told()
    {
        var book = Some.Book(Some.Config());
        Apply(book, Some.Assigned(Some.Assign()));

        Apply(book, new RunInput.Cancelled("task-1", null, "enough"));
        var run = Assert.Single(book.Open);
        Assert.Equal(RunState.Waking, run.State);
        Assert.Equal(OrderKind.Wake, RunPolicy.OrderFor(run).Kind); // It finds out what was started; it starts nothing.

        Apply(book, new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with { Process = Process }));
        Assert.Equal(OrderKind.Stop, RunPolicy.OrderFor(book.Open.Single()).Kind);

        Apply(book, Ended(book.Open.Single(), new ProcessEnd(null, 9)));
        Assert.Empty(book.Open); // Cancelled and settled: the hub decided it and waits for nothing.
    }

    [Fact]
    public void An_acknowledgement_covers_the_earlier_messages_of_the_same_run_and_no_other()
    {
        var book = Some.Book(Some.Config(slots: 2));
        Apply(book, Some.Assigned(Some.Assign("a")));
        Apply(book, Some.Assigned(Some.Assign("b")));
        var run = book.Open.Single(open => open.TaskId == "a");
        Apply(book, new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with { Process = Process }));
        Apply(book, Ended(book.Open.Single(open => open.TaskId == "a"), new ProcessEnd(1, 9)));

        var draft = Apply(book, new RunInput.Acknowledged($"{run.Id}.1.final"));

        Assert.Equal([$"{run.Id}.1.accepted", $"{run.Id}.1.wake", $"{run.Id}.1.final"], draft.Removed);
        Assert.Equal("b", Assert.Single(book.Open).TaskId);
    }

    [Fact]
    public void What_an_order_learned_for_an_attempt_that_is_over_is_dropped()
    {
        var book = Some.Book(Some.Config());
        book.Load([Some.Run(RunState.Verifying)], []);

        var draft = Apply(book, new RunInput.Learned("run-task-1-1", new RunOrder(OrderKind.Watch, 1), now => now with { Process = Process }));

        Assert.True(draft.IsEmpty);
    }

    [Fact]
    public void A_refused_acceptance_takes_the_run_away_and_a_refused_outcome_settles_it()
    {
        var book = Some.Book(Some.Config());
        Apply(book, Some.Assigned(Some.Assign()));
        var run = book.Open.Single();
        Apply(book, new RunInput.Learned(run.Id, RunPolicy.OrderFor(run), now => now with { Process = Process }));

        Apply(book, new RunInput.Refused($"{run.Id}.1.accepted", "task_accepted_failed: stale_generation"));
        Assert.Equal(OrderKind.Stop, RunPolicy.OrderFor(book.Open.Single()).Kind);

        var other = Some.Book(Some.Config());
        other.Load([Some.Run(RunState.Completed)], [new("m", "run-task-1-1", "task-1", "task_complete", "{}", 1)]);
        Apply(other, new RunInput.Refused("m", "task_complete_failed: not_found"));
        Assert.Empty(other.Open);
    }

    [Fact]
    public void Random_inputs_never_break_the_book_and_never_give_a_task_two_live_runs()
    {
        foreach (var seed in Enumerable.Range(1, 300))
        {
            var random = new Random(seed);
            var book = Some.Book(Some.Config(slots: random.Next(1, 4), random.Next(2) == 0 ? WakeMode.Run : WakeMode.Signal));
            for (var step = 0; step < 120; step++)
            {
                Apply(book, RandomInput(random, book));
                Assert.All(book.Open.Where(run => !run.State.IsFinal()).GroupBy(run => run.TaskId), runs => Assert.Single(runs));
                Assert.All(book.Open.Where(run => run.State.IsFinal()), run => Assert.False(run.ProcessMayLive && run.State is RunState.Failed or RunState.HandedOff && run.ProcessMayLive));
            }
        }
    }

    private static RunInput RandomInput(Random random, RunBook book)
    {
        var task = $"t{random.Next(3)}";
        var run = book.Open.Count > 0 ? book.Open.ElementAt(random.Next(book.Open.Count)) : Some.Run();
        var order = RunPolicy.OrderFor(run);
        return random.Next(12) switch
        {
            0 or 1 => Some.Assigned(Some.Assign(task, random.Next(5), random.Next(2) == 0 ? null : "/x")),
            2 => new RunInput.Cancelled(task, random.Next(2) == 0 ? null : random.Next(5), "x"),
            3 => new RunInput.TakenAway(task, "x"),
            4 => new RunInput.Continued(task, random.Next(6)),
            5 => new RunInput.Acknowledged($"{run.Id}.{run.Generation}.final"),
            6 => new RunInput.Refused($"{run.Id}.{run.Generation}.{(random.Next(2) == 0 ? "final" : "accepted")}", "x"),
            7 => new RunInput.DeadlinePassed(run.Id, run.State, "x"),
            8 => new RunInput.AgentSpoke(run.Id, facts => facts with { Received = true, Report = random.Next(2) == 0 ? new AgentReport(random.Next(2) == 0 ? AgentReport.Success : AgentReport.HandOff, null, null) : null }, null),
            _ => new RunInput.Learned(run.Id, order, now => Finding(random, order.Kind, now)),
        };
    }

    private static Run Finding(Random random, OrderKind kind, Run run) => kind switch
    {
        OrderKind.Prepare => run with { Facts = random.Next(4) == 0 ? run.Facts with { Failure = new Failure(FailureClass.Workspace, "x") } : run.Facts with { Workspace = "/w", BaseCommit = "b" } },
        OrderKind.Wake when random.Next(3) == 0 => run with { Facts = run.Facts with { WakeProblem = new Failure(FailureClass.Unknown, "x"), End = new ProcessEnd(1, 1), Failure = random.Next(2) == 0 ? new Failure(FailureClass.Unknown, "x") : run.Facts.Failure } },
        OrderKind.Wake => run with { Process = Process, Facts = run.Profile.Mode == WakeMode.Signal ? run.Facts with { WakeReturned = true, End = new ProcessEnd(0, 1) } : run.Facts },
        OrderKind.Pause => run with { Facts = run.Facts with { WakeAgainDue = true } },
        OrderKind.Watch => run with { Facts = random.Next(2) == 0 ? run.Facts with { StayedAlive = true } : run.Facts with { End = new ProcessEnd(random.Next(2), 1) } },
        OrderKind.Verify => run with { Facts = run.Facts with { Verification = new VerificationReport { Status = "pass", Checks = [] } } },
        OrderKind.Submit => run with { Facts = run.Facts with { Delivered = true } },
        OrderKind.Stop => run with { Facts = run.Facts with { End = run.Facts.End ?? new ProcessEnd(143, 1) } },
        _ => run,
    };

    private static RunInput.Learned Ended(Run run, ProcessEnd end) =>
        new(run.Id, RunPolicy.OrderFor(run), now => now with { Facts = now.Facts with { End = end } });

    private static RunDraft Apply(RunBook book, RunInput input)
    {
        var draft = book.Begin(1000);
        book.Apply(draft, input);
        book.Take(draft);
        return draft;
    }
}
