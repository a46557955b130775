using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
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
    private readonly OrderBoard _orders;
    private readonly DraftMaker _drafts;
    private readonly Reconciler _reconciler;
    private readonly RunDeadlines _deadlines;
    private readonly AgentsWithoutStore _withoutStore;
    private readonly DueTimer _due;
    private readonly RunStore _store;
    private readonly RunOrders _work;
    private readonly Berths _berths;
    private readonly StoreReserve _reserve;
    private readonly OutboxQueue _outbox;
    private readonly SidecarConfig _config;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly RunBook _book;
    private readonly Availability _availability;
    private CancellationToken _stopping;
    private ImmutableArray<Run> _snapshot = [];
    private ImmutableArray<HeldAssignment> _waiting = [];

    public RunLoop(
        RunStore store, StoreReserve reserve, RunOrders work, Berths berths, OutboxQueue outbox, Availability availability, DiskFloor floor, SidecarConfig config, TimeProvider time,
        Verdict verdict, IHostApplicationLifetime lifetime, ILogger<RunLoop> log)
        : base(verdict, lifetime, log)
    {
        (_store, _reserve, _work, _berths, _outbox) = (store, reserve, work, berths, outbox);
        (_availability, _config, _time, _log) = (availability, config, time, log);
        _book = new RunBook(config, store.FindSettled, () => berths.Ready, () => availability.Refuses ?? floor.Closed());
        _reconciler = new Reconciler(work, config, time, log);
        _drafts = new DraftMaker(_book, store, log);
        _orders = new OrderBoard(work, id => _snapshot.FirstOrDefault(open => open.Id == id), PostAsync, time, log);
        _due = new DueTimer(_book, config.Deadlines, time, () => _ = PostAsync(new RunInput.IntakeDue(), _stopping).AsTask());
        _deadlines = new RunDeadlines(config.Deadlines, time, work.Doing, input => _ = PostAsync(input, _stopping).AsTask());
        _withoutStore = new AgentsWithoutStore(_deadlines, work, config, time, log);
    }

    /// <summary>Open runs as of the last commit.</summary>
    public ImmutableArray<Run> Snapshot => _snapshot;

    /// <summary>Why the store cannot be written at present, or null.</summary>
    public string? StoreProblem { get; private set; }

    /// <summary>Hears about assignments that were turned down; sent once, not stored.</summary>
    public Action<SidecarMessage.TaskRejected>? Rejected { get; set; }

    /// <summary>Hears about runs whose state the hub must be told again; sent once, not stored.</summary>
    public Action<Run>? Reported { get; set; }

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
            runs.Add(await _reconciler.ReconcileAsync(run));
            _ = runs[^1].StateSinceUnixMs == run.StateSinceUnixMs || _inputs.Writer.TryWrite(new RunInput.Resumed(run.Id));
        }

        var outbox = _store.LoadOutbox();
        _book.Load(runs, outbox, _store.LoadIntake(), _store.LoadBreakers());
        _outbox.Update(outbox, []);
        _snapshot = [.. _book.Open];
        Breakers = [.. _book.Breakers];
        SayIntake();
        LogRunsLoaded(runs.Count, outbox.Count);
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
        _due.Set(_waiting);
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
            KeepName(run);
            Follow(run);
        }

        Forget(draft);
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
            LogAssignmentRejected(rejected.TaskId, rejected.Generation ?? 0, rejected.Reason, rejected.Detail);
            Rejected?.Invoke(rejected);
        }

        TellWaiting(draft);
        Tell(draft, batch, before);
    }

    // A name on disk is given to no other run: two runs of one name would share a row, a directory and a nonce.
    private void KeepName(Run run)
    {
        _berths.Name(run.Id);
        _ = run.State == RunState.Settled && _berths.Forgo(run.Id) ? Task.Run(() => _work.RefillAsync(_config.Wake.Profiles[0], _stopping), CancellationToken.None) : null;
    }

    // Runs that no loop knows any more: their agents are ended like those of a forgotten store.
    private void Forget(RunDraft draft)
    {
        if (draft.Forgotten.Count == 0)
        {
            return;
        }

        foreach (var runId in draft.Forgotten.Keys)
        {
            _orders.Drop(runId);
            _deadlines.Drop(runId);
        }

        _outbox.Update([], [.. _outbox.Snapshot().Where(message => draft.Forgotten.ContainsKey(message.RunId)).Select(message => message.MessageId)]);
        var open = _snapshot;
        _ = Task.Run(() => _work.StopUnknownAsync(open), CancellationToken.None);
    }

    private void TellWaiting(RunDraft draft)
    {
        foreach (var run in draft.Reports)
        {
            Reported?.Invoke(run);
        }

        foreach (var held in draft.Held.Where(held => _waiting.All(known => known.Assigned != held.Assigned)))
        {
            LogAssignmentHeld(held.TaskId, held.Generation, held.Reason, held.Detail);
            CrashPoints.At(CrashPointName.AssignmentHeld);
        }

        foreach (var held in draft.Dropped)
        {
            LogAssignmentDropped(held.TaskId, held.Generation, held.Reason, held.Detail);
        }

        var changed = !_waiting.SequenceEqual(draft.Held);
        _waiting = [.. draft.Held];
        if (changed)
        {
            _due.Set(_waiting);
        }
    }

    private void Tell(RunDraft draft, List<RunInput> batch, ImmutableArray<Run> before)
    {
        ReportDoors(draft);
        if (draft.Intake is not null || draft.Breakers.Changed.Count > 0 || batch.OfType<RunInput.IntakeDue>().Any())
        {
            SayIntake();
            _due.Set(_waiting);
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
                var draft = await _drafts.CommitAsync(batch, _time.GetUtcNow().ToUnixTimeMilliseconds());
                SayAvailable();
                return draft;
            }
            catch (StoreUnavailableException fault)
            {
                Pulse.Beat();
                if (_reserve.GiveUpIfFull(inodesToo: false))
                {
                    LogReserveGivenUp(fault.Message);
                    continue;
                }

                SayUnavailable(fault);
                _withoutStore.Look(_snapshot, fault, stopping);
                await Task.Delay(StoreRetry, _time, stopping);
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A run that cannot be followed must not end the loop; its deadline still acts.")]
    private void Follow(Run run)
    {
        try
        {
            _deadlines.Follow(run);
            _work.Fence(run);
            _orders.Follow(run, _stopping);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogRunNotFollowed(run.Id, run.TaskId, fault);
        }
    }

    private void SayIntake()
    {
        var now = _due.Look();
        _availability.Say(AvailabilitySource.Intake, IntakeRules.Closed(_book.Intake, now));
        _availability.Say(AvailabilitySource.Breakers, RunBook.NoProfile(_book.Begin(now)));
    }
}
