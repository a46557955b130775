using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>The one owner of runs and outbox rows: takes what waits, lets the book decide, commits once, then acts.</summary>
/// <remarks>Nothing is sent or started before its commit. Whatever waits in the channel goes into the same commit, so a burst
/// costs one sync of the disk. While the store cannot be written the inputs are kept and tried again; nothing is dropped.</remarks>
internal sealed partial class RunLoop : DaemonLoop
{
    // When full, whoever writes waits: the socket is then not read, which is what should happen to a hub that is too fast.
    private const int Room = 1024;
    private static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(1);

    private readonly Channel<RunInput> _inputs = Channel.CreateBounded<RunInput>(new BoundedChannelOptions(Room) { SingleReader = true });
    private readonly Dictionary<string, (RunOrder Order, CancellationTokenSource Stop)> _orders = [];
    private readonly RunDeadlines _deadlines;
    private readonly RunStore _store;
    private readonly RunOrders _work;
    private readonly OutboxQueue _outbox;
    private readonly SidecarConfig _config;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly RunBook _book;
    private readonly Availability _availability;
    private ITimer? _recheck;
    private CancellationToken _stopping;
    private ImmutableArray<Run> _snapshot = [];

    public RunLoop(
        RunStore store, RunOrders work, Berths berths, OutboxQueue outbox, Availability availability, DiskFloor floor, SidecarConfig config, TimeProvider time,
        Verdict verdict, IHostApplicationLifetime lifetime, ILogger<RunLoop> log)
        : base(verdict, lifetime, log)
    {
        (_store, _work, _outbox, _availability, _config, _time, _log) = (store, work, outbox, availability, config, time, log);
        _book = new RunBook(config, store.FindSettled, () => berths.Ready, () => availability.Refuses ?? floor.Closed());
        _deadlines = new RunDeadlines(config.Deadlines, time, input => _ = PostAsync(input, _stopping).AsTask());
    }

    /// <summary>Open runs as of the last commit.</summary>
    public ImmutableArray<Run> Snapshot => _snapshot;

    /// <summary>Why the store cannot be written at present, or null.</summary>
    public string? StoreProblem { get; private set; }

    /// <summary>Hears about assignments that were turned down; sent once, not stored.</summary>
    public Action<SidecarMessage.TaskRejected>? Rejected { get; set; }

    /// <summary>Hears about progress that agents report; not stored.</summary>
    public Action<SidecarMessage.TaskProgress>? Progressed { get; set; }

    /// <summary>Hears that a run is over and its agent gone; what it left may be looked at.</summary>
    public Action? Ended { get; set; }

    public ValueTask PostAsync(RunInput input, CancellationToken token) => _inputs.Writer.WriteAsync(input, token);

    /// <summary>What the operator, or the hub, lets in; as of the last commit.</summary>
    public IntakeState Intake => _book.Intake;

    /// <summary>What is known against wake profiles, as of the last commit.</summary>
    public ImmutableArray<Breaker> Breakers { get; private set; } = [];

    /// <summary>Reads what the last process left and reconciles it with what lives; part of the start, before anything can be posted.</summary>
    public async Task LoadAsync()
    {
        var runs = new List<Run>();
        foreach (var run in _store.LoadOpen())
        {
            runs.Add(await ReconcileAsync(run));
        }

        var outbox = _store.LoadOutbox();
        _book.Load(runs, outbox, _store.LoadIntake(), _store.LoadBreakers());
        _outbox.Update(outbox, []);
        _snapshot = [.. _book.Open];
        Breakers = [.. _book.Breakers];
        SayIntake();
        LogRunsLoaded(runs.Count, outbox.Count);
    }

    // The hub has not been heard yet; its answers go through the same table.
    private async ValueTask<Run> ReconcileAsync(Run run)
    {
        var row = BootRules.RowOf(run);
        var (process, found) = await _work.WitnessAsync(run);
        var action = BootRules.Decide(row, process, HubFact.Unheard);
        LogRunReconciled(run.Id, run.TaskId, run.State.Word(), process, action);
        return row == RowFact.Intent && action is BootAction.Adopt or BootAction.Finalise ? run with { Process = run.Process ?? found } : run;
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        _stopping = stopping;
        foreach (var run in _book.Open.ToList())
        {
            Follow(run);
        }

        // Behind the start, because nothing waits for it.
        _ = Task.Run(() => GetReadyAsync(_book.Open.Select(run => run.Id).ToHashSet()), CancellationToken.None);
        var batch = new List<RunInput>();
        Recheck();
        using var beat = _time.CreateTimer(_ => _inputs.Writer.TryWrite(new RunInput.Beat()), null, Pulse.Usual / 6, Pulse.Usual / 6); // When full, the loop is busy enough.
        while (await _inputs.Reader.WaitToReadAsync(stopping))
        {
            Pulse.Beat();
            while (batch.Count < Room && _inputs.Reader.TryRead(out var input))
            {
                batch.Add(input);
            }

            await ApplyAsync(batch, stopping);
            batch.Clear();
        }
    }

    private async Task GetReadyAsync(HashSet<string> openRuns)
    {
        _work.Sweep(openRuns);
        await _work.RefillAsync(_config.Wake.Profiles[0], _stopping);
    }

    private async Task ApplyAsync(List<RunInput> batch, CancellationToken stopping)
    {
        var draft = await CommitAsync(batch, stopping);
        var before = _snapshot;
        _book.Take(draft);
        _snapshot = [.. _book.Open];
        Breakers = [.. _book.Breakers];
        CommitMoments.Persisted(draft, before);
        foreach (var run in draft.Changed)
        {
            Follow(run);
        }

        _outbox.Update(draft.Added, draft.Removed);
        foreach (var run in draft.Changed)
        {
            Report(before, run);
        }

        if (draft.Changed.Any(run => run.State.IsFinal() && !run.ProcessMayLive))
        {
            Ended?.Invoke();
        }

        foreach (var rejected in draft.Rejections)
        {
            LogAssignmentRejected(rejected.TaskId, rejected.Generation, rejected.Reason, rejected.Detail);
            Rejected?.Invoke(rejected);
        }

        Tell(draft, batch, before);
    }

    private void Tell(RunDraft draft, List<RunInput> batch, ImmutableArray<Run> before)
    {
        ReportDoors(draft);
        if (draft.Intake is not null || draft.Breakers.Changed.Count > 0 || batch.OfType<RunInput.IntakeDue>().Any())
        {
            SayIntake();
            Recheck();
        }

        foreach (var decided in batch.OfType<RunInput.IntakeDecided>())
        {
            decided.Stored?.TrySetResult();
        }

        CommitMoments.Done(draft, before);
        foreach (var spoke in batch.OfType<RunInput.AgentSpoke>())
        {
            spoke.Stored?.TrySetResult(draft.Find(spoke.RunId) is not null);
        }
    }

    private async Task<RunDraft> CommitAsync(List<RunInput> batch, CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                var draft = _book.Begin(_time.GetUtcNow().ToUnixTimeMilliseconds());
                foreach (var input in batch)
                {
                    _book.Apply(draft, input);
                }

                if (!draft.IsEmpty)
                {
                    await _store.SaveAsync(draft);
                }

                if (StoreProblem is not null)
                {
                    LogStoreRecovered();
                    StoreProblem = null;
                    _availability.Say(AvailabilitySource.Store, null);
                }

                return draft;
            }
            catch (StoreUnavailableException fault)
            {
                if (StoreProblem is null)
                {
                    LogStoreUnavailable(fault.Message, fault.Hint, StoreRetry);
                }

                StoreProblem = $"{fault.Message}; {fault.Hint}";
                _availability.Say(AvailabilitySource.Store, new Closure("store_unavailable", StoreProblem));
                Pulse.Beat();
                await Task.Delay(StoreRetry, _time, stopping);
            }
        }
    }

    /// <summary>Sees to it that what the run needs now is going on, and nothing else.</summary>
    private void Follow(Run run)
    {
        _work.Fence(run);
        var wanted = RunPolicy.OrderFor(run);
        if (_orders.TryGetValue(run.Id, out var going) && going.Order != wanted)
        {
            going.Stop.Cancel();
            going.Stop.Dispose(); // It is linked to the daemon's own token, which would keep it for ever.
            _orders.Remove(run.Id);
        }

        if (wanted.Kind != OrderKind.Nothing && !_orders.ContainsKey(run.Id))
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
            _orders[run.Id] = (wanted, stop);

            // A wake begins right here, before anything is logged or sent: it is what everybody waits for, it takes well under a
            // millisecond, and a hand-over to another thread would cost as much again. Everything else goes elsewhere at once.
            _ = wanted.Kind == OrderKind.Wake ? DoAsync(run, wanted, stop) : Task.Run(() => DoAsync(run, wanted, stop), CancellationToken.None);
        }

        _deadlines.Follow(run);
    }

    [SuppressMessage("Design", "CA1031", Justification = "An order that breaks must fail its run by name, not end the daemon and every other run with it.")]
    private async Task DoAsync(Run run, RunOrder order, CancellationTokenSource stop)
    {
        var token = stop.Token;
        try
        {
            await _work.RunAsync(new OrderScene(run, order, () => _snapshot.FirstOrDefault(open => open.Id == run.Id) ?? run, input => PostAsync(input, token), token));
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
        }
        catch (Exception fault)
        {
            LogOrderBroke(run.Id, run.TaskId, order.Kind, fault);
            var failure = new Failure(FailureClass.Unknown, $"{order.Kind} broke: {Printable.Cut(fault.Message, 500)}");
            await PostAsync(new RunInput.Learned(run.Id, order, now => Broken(now, failure)), _stopping);
        }
    }

    // A wake that broke before a process was known started nothing that we could not find again by its note.
    private static Run Broken(Run run, Failure failure) => run with
    {
        Facts = run.Facts with { Failure = run.Facts.Failure ?? failure, WakeProblem = run.State == RunState.Waking ? failure : run.Facts.WakeProblem },
    };

    private void SayIntake()
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        _availability.Say(AvailabilitySource.Intake, IntakeRules.Closed(_book.Intake, now));
        _availability.Say(AvailabilitySource.Breakers, _book.NoProfile(_book.Begin(now)));
    }

    // The one thing that changes with time alone: a pause that ends, a drain that is due, a breaker that may be tried.
    private void Recheck()
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var due = _book.Breakers.Where(breaker => breaker.OpenedAtUnixMs is not null && breaker.ProbeRunId is null)
            .Select(breaker => breaker.OpenedAtUnixMs!.Value + (long)BreakerRules.OpenFor.TotalMilliseconds)
            .Where(at => at > now)
            .Append(_book.IntakeIsDue(now) ? now : _book.Intake.UntilUnixMs is { } until && until > now ? until : long.MaxValue)
            .Min();
        _recheck?.Dispose();
        _recheck = due == long.MaxValue ? null
            : _time.CreateTimer(_ => _ = PostAsync(new RunInput.IntakeDue(), _stopping).AsTask(), null, TimeSpan.FromMilliseconds(Math.Clamp(due - now, 0, (long)TimeSpan.FromDays(1).TotalMilliseconds)), Timeout.InfiniteTimeSpan);
    }
}
