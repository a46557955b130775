using FleetSidecar.Agents;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>Store × machine × hub: the table itself, and a world of crashes that is run through it.</summary>
public sealed class BootRulesTests
{
    [Fact]
    public void Every_combination_has_an_answer_and_none_of_them_starts_a_second_process_or_a_task_that_is_over()
    {
        foreach (var (row, process, hub) in from row in Enum.GetValues<RowFact>() from process in Enum.GetValues<ProcessFact>() from hub in Enum.GetValues<HubFact>() select (row, process, hub))
        {
            var action = BootRules.Decide(row, process, hub);

            Assert.True(action != BootAction.Begin || (row == RowFact.Intent && process == ProcessFact.None && hub != HubFact.Over), $"{row} {process} {hub}: {action}");
            Assert.True(process != ProcessFact.Alive || action is BootAction.Adopt or BootAction.Abandon or BootAction.Finalise, $"{row} {process} {hub}: nobody answers for the process");
            Assert.True(hub != HubFact.Over || action != BootAction.Adopt, $"{row} {process} {hub}: goes on with a task that is over");
            Assert.True(row != RowFact.Decided || action == BootAction.Finalise, $"{row} {process} {hub}: a decided outcome is dropped");
        }
    }

    [Theory]
    [InlineData("accepted", null, nameof(RowFact.AtWork))]
    [InlineData("preparing", null, nameof(RowFact.AtWork))]
    [InlineData("waking", null, nameof(RowFact.Intent))]
    [InlineData("waking", 7, nameof(RowFact.Woken))]
    [InlineData("confirming", 7, nameof(RowFact.Woken))]
    [InlineData("working", 7, nameof(RowFact.Woken))]
    [InlineData("submitting", 7, nameof(RowFact.AtWork))]
    [InlineData("failed", null, nameof(RowFact.Decided))]
    [InlineData("settled", null, nameof(RowFact.Settled))]
    public void What_the_store_says_is_read_off_the_run(string state, int? pid, string row)
    {
        var run = Some.Run(RunStates.Parse(state)) with { Process = pid is { } number ? new ProcessIdentity(number, 1, "boot") : null };

        Assert.Equal(row, BootRules.RowOf(run).ToString());
    }

    [Fact]
    public void In_a_world_of_crashes_no_task_ever_has_two_live_agents_and_what_is_over_is_not_woken()
    {
        foreach (var seed in Enumerable.Range(1, 400))
        {
            new World(new Random(seed), seed % 3 == 0 ? WakeMode.Signal : WakeMode.Run).Live(150);
        }
    }

    /// <summary>A book with its store (what was committed), the machine's processes, and a hub that gives tasks out and takes them away.</summary>
    private sealed class World(Random random, string mode)
    {
        private readonly HashSet<(string RunId, int Attempt)> _alive = [], _recorded = [], _orders = [];
        private readonly HashSet<string> _over = [];
        private RunBook _book = Some.Book(Some.Config(slots: 3, mode));
        private long _generation;

        public void Live(int steps)
        {
            for (var step = 0; step < steps; step++)
            {
                Step();
                foreach (var task in _alive.GroupBy(process => _book.Open.FirstOrDefault(run => run.Id == process.RunId)?.TaskId))
                {
                    Assert.True(task.Key is not null, "a process of a run that nobody knows");
                    Assert.Single(task);
                }
            }
        }

        private void Step()
        {
            var task = $"t{random.Next(3)}";
            switch (random.Next(9))
            {
                case 0:
                    Apply(Some.Assigned(Some.Assign(task, ++_generation)));
                    _over.Remove(task);
                    break;
                case 1:
                    Apply(new RunInput.TakenAway(task, "x"));
                    _over.Add(task);
                    break;
                case 2:
                    Apply(new RunInput.Continued(task, ++_generation));
                    break;
                case 3 when _alive.Count > 0:
                    var ending = _alive.ElementAt(random.Next(_alive.Count));
                    _alive.Remove(ending);
                    if (random.Next(2) == 0)
                    {
                        _recorded.Add(ending);
                    }

                    break;
                case 4:
                    Crash();
                    break;
                default:
                    DoOneOrder();
                    break;
            }
        }

        // Everything in memory is gone; the store and the processes are not.
        private void Crash()
        {
            var stored = _book.Open.ToList();
            _book = Some.Book(Some.Config(slots: 3, mode));
            _book.Load(stored.ConvertAll(run => Decide(run) is BootAction.Adopt or BootAction.Finalise && BootRules.RowOf(run) == RowFact.Intent ? run with { Process = Identity } : run), []);
        }

        private BootAction Decide(Run run)
        {
            var key = (run.Id, run.WakeAttempt);
            return BootRules.Decide(BootRules.RowOf(run),
                _alive.Contains(key) ? ProcessFact.Alive : _recorded.Contains(key) ? ProcessFact.Ended : _orders.Contains(key) ? ProcessFact.Vanished : ProcessFact.None,
                _over.Contains(run.TaskId) ? HubFact.Over : HubFact.Unheard);
        }

        private void DoOneOrder()
        {
            if (_book.Open.Where(run => RunPolicy.OrderFor(run).Kind != OrderKind.Nothing).OrderBy(_ => random.Next()).FirstOrDefault() is not { } run)
            {
                return;
            }

            var order = RunPolicy.OrderFor(run);
            var key = (run.Id, run.WakeAttempt);
            Func<Run, Run>? learned = order.Kind switch
            {
                OrderKind.Prepare => now => now with { Facts = now.Facts with { Workspace = "/w" } },
                OrderKind.Wake => Wake(run, key),
                OrderKind.Pause => now => now with { Facts = now.Facts with { WakeAgainDue = true } },
                OrderKind.Watch when _alive.Contains(key) => now => now with { Facts = now.Facts with { StayedAlive = true, Received = true } },
                OrderKind.Watch when mode == WakeMode.Run => now => now with { Facts = now.Facts with { End = new ProcessEnd(_recorded.Contains(key) ? 0 : null, 1), Report = new AgentReport(AgentReport.Success, null, null) } },
                OrderKind.Watch => now => now with { Facts = now.Facts with { Received = true, Report = new AgentReport(AgentReport.Success, null, null) } },
                OrderKind.Verify => now => now with { Facts = now.Facts with { Verification = new VerificationReport { Status = "pass", Checks = [] } } },
                OrderKind.Submit => now => now with { Facts = now.Facts with { Delivered = true } },
                OrderKind.Stop => Stop(key),
                _ => null,
            };
            if (learned is not null && random.Next(5) > 0) // Now and then the daemon dies before it is told.
            {
                Apply(new RunInput.Learned(run.Id, order, learned));
            }
        }

        private Func<Run, Run> Wake(Run run, (string, int) key)
        {
            if (run.Process is null && !run.IsEnding && Decide(run) == BootAction.Begin)
            {
                _orders.Add(key);
                Assert.DoesNotContain(run.TaskId, _over);
                Assert.DoesNotContain(_alive, process => process.RunId == run.Id);
                _alive.Add(key);
            }

            if (run.IsEnding && run.Process is null && !_alive.Contains(key))
            {
                return now => now with { Facts = now.Facts with { WakeProblem = new Failure(FailureClass.Unknown, "x") } };
            }

            return mode == WakeMode.Run ? now => now with { Process = Identity } : now =>
            {
                _alive.Remove(key);
                return now with { Process = Identity, Facts = now.Facts with { WakeReturned = true, End = new ProcessEnd(0, 1) } };
            };
        }

        private Func<Run, Run> Stop((string, int) key)
        {
            _alive.Remove(key);
            return now => now with { Facts = now.Facts with { End = now.Facts.End ?? new ProcessEnd(143, 1) } };
        }

        private void Apply(RunInput input)
        {
            var draft = _book.Begin(1000);
            _book.Apply(draft, input);
            _book.Take(draft);
        }

        private static readonly ProcessIdentity Identity = new(4242, 7, "boot");
    }
}
