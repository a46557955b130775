using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;
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
    private readonly Dictionary<string, (RunState State, ITimer Timer)> _deadlines = [];
    private readonly RunStore _store;
    private readonly RunOrders _work;
    private readonly OutboxQueue _outbox;
    private readonly SidecarConfig _config;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly RunBook _book;
    private readonly HashSet<string> _recovered = [];
    private CancellationToken _stopping;
    private ImmutableArray<Run> _snapshot = [];

    public RunLoop(
        RunStore store, RunOrders work, Berths berths, OutboxQueue outbox, SidecarConfig config, TimeProvider time, Verdict verdict,
        IHostApplicationLifetime lifetime, ILogger<RunLoop> log)
        : base(verdict, lifetime, log)
    {
        (_store, _work, _outbox, _config, _time, _log) = (store, work, outbox, config, time, log);
        _book = new RunBook(config, store.FindSettled, () => berths.Ready, () => berths.Problem is null ? null : "store_unavailable");
    }

    /// <summary>Open runs as of the last commit.</summary>
    public ImmutableArray<Run> Snapshot => _snapshot;

    /// <summary>Why the store cannot be written at present, or null.</summary>
    public string? StoreProblem { get; private set; }

    /// <summary>Hears about assignments that were turned down; sent once, not stored.</summary>
    public Action<SidecarMessage.TaskRejected>? Rejected { get; set; }

    /// <summary>Hears about progress that agents report; not stored.</summary>
    public Action<SidecarMessage.TaskProgress>? Progressed { get; set; }

    public ValueTask PostAsync(RunInput input, CancellationToken token) => _inputs.Writer.WriteAsync(input, token);

    /// <summary>Nothing new is accepted from now on; the reason goes to the hub.</summary>
    public void Close(string because) => _book.ClosedBecause = because;

    /// <summary>Reads what the last process left; part of the start, before anything can be posted.</summary>
    public void Load()
    {
        var runs = _store.LoadOpen();
        var outbox = _store.LoadOutbox();
        _book.Load(runs, outbox);
        _outbox.Update(outbox, []);
        _recovered.UnionWith(runs.Select(run => run.Id));
        _snapshot = [.. _book.Open];
        LogRunsLoaded(runs.Count, outbox.Count);
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        _stopping = stopping;
        foreach (var run in _book.Open.ToList())
        {
            Follow(run);
        }

        _ = Task.Run(() => GetReadyAsync(_book.Open.Select(run => run.Id).ToHashSet()), CancellationToken.None);
        var batch = new List<RunInput>();
        while (await _inputs.Reader.WaitToReadAsync(stopping))
        {
            while (batch.Count < Room && _inputs.Reader.TryRead(out var input))
            {
                batch.Add(input);
            }

            await ApplyAsync(batch, stopping);
            batch.Clear();
        }
    }

    // Behind the start, because nothing waits for it.
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
        foreach (var run in draft.Changed)
        {
            Follow(run);
        }

        _outbox.Update(draft.Added, draft.Removed);
        foreach (var run in draft.Changed)
        {
            Report(before, run);
        }

        foreach (var rejected in draft.Rejections)
        {
            LogAssignmentRejected(rejected.TaskId, rejected.Generation, rejected.Reason, rejected.Detail);
            Rejected?.Invoke(rejected);
        }

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
                    await _store.SaveAsync(draft.Changed, draft.Added, draft.Removed);
                }

                if (StoreProblem is not null)
                {
                    LogStoreRecovered();
                    StoreProblem = null;
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
                await Task.Delay(StoreRetry, _time, stopping);
            }
        }
    }

    /// <summary>Sees to it that what the run needs now is going on, and nothing else.</summary>
    private void Follow(Run run)
    {
        var wanted = RunPolicy.OrderFor(run);
        if (_orders.TryGetValue(run.Id, out var going) && going.Order != wanted)
        {
            going.Stop.Cancel();
            _orders.Remove(run.Id);
        }

        if (wanted.Kind != OrderKind.Nothing && !_orders.ContainsKey(run.Id))
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
            _orders[run.Id] = (wanted, stop);
            var again = _recovered.Remove(run.Id);

            // A wake begins right here, before anything is logged or sent: it is what everybody waits for, it takes well under a
            // millisecond, and a hand-over to another thread would cost as much again. Everything else goes elsewhere at once.
            _ = wanted.Kind == OrderKind.Wake && !again ? DoAsync(run, wanted, again, stop) : Task.Run(() => DoAsync(run, wanted, again, stop), CancellationToken.None);
        }

        SetDeadline(run);
    }

    [SuppressMessage("Design", "CA1031", Justification = "An order that breaks must fail its run by name, not end the daemon and every other run with it.")]
    private async Task DoAsync(Run run, RunOrder order, bool again, CancellationTokenSource stop)
    {
        var token = stop.Token;
        try
        {
            await _work.RunAsync(run, order, again, apply => PostAsync(new RunInput.Learned(run.Id, order, apply), token), token);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
        }
        catch (Exception fault)
        {
            LogOrderBroke(run.Id, order.Kind, fault);
            var failure = new Failure(FailureClass.Unknown, $"{order.Kind} broke: {Printable.Cut(fault.Message, 500)}");
            await PostAsync(new RunInput.Learned(run.Id, order, now => Broken(now, failure)), _stopping);
        }
    }

    // A wake that broke before a process was known started nothing that we could not find again by its note.
    private static Run Broken(Run run, Failure failure) => run with
    {
        Facts = run.Facts with { Failure = run.Facts.Failure ?? failure, WakeProblem = run.State == RunState.Waking ? failure : run.Facts.WakeProblem },
    };

    private void SetDeadline(Run run)
    {
        var deadline = RunPolicy.DeadlineOf(run, _config.Deadlines);
        if (_deadlines.TryGetValue(run.Id, out var set))
        {
            if (set.State == run.State && deadline is not null)
            {
                return;
            }

            set.Timer.Dispose();
            _deadlines.Remove(run.Id);
        }

        if (deadline is { } due)
        {
            // After a restart the time that has passed counts; a clock that was set back or forward cannot make it more than the limit or less than none.
            var passed = TimeSpan.FromMilliseconds(Math.Max(0, _time.GetUtcNow().ToUnixTimeMilliseconds() - run.StateSinceUnixMs));
            var left = passed < due.Limit ? due.Limit - passed : TimeSpan.Zero;
            var input = new RunInput.DeadlinePassed(run.Id, run.State, due.Name);
            _deadlines[run.Id] = (run.State, _time.CreateTimer(_ => _ = PostAsync(input, _stopping).AsTask(), null, left, Timeout.InfiniteTimeSpan));
        }
    }

    private void Report(ImmutableArray<Run> before, Run run)
    {
        var was = before.FirstOrDefault(known => known.Id == run.Id);
        if (was?.State == run.State)
        {
            return;
        }

        LogRunMoved(run.Id, run.TaskId, run.Generation, was?.State.Word() ?? "new", run.State.Word());
        if (run.Facts.Failure is { } failure && run.State == RunState.Failed)
        {
            LogRunFailed(run.Id, run.TaskId, failure.Code, failure.Reason);
        }
    }

    [LoggerMessage(EventIds.RunsLoaded, LogLevel.Information, "found {Runs} open runs and {Messages} unacknowledged messages", EventName = "RunsLoaded")]
    private partial void LogRunsLoaded(int runs, int messages);

    [LoggerMessage(EventIds.RunMoved, LogLevel.Information, "{Run} {Task} generation {Generation}: {From} -> {To}", EventName = "RunMoved")]
    private partial void LogRunMoved(string run, string task, long generation, string from, string to);

    [LoggerMessage(EventIds.RunFailed, LogLevel.Warning, "{Run} {Task} failed, class {Code}: {Reason}; the hub decides about another attempt", EventName = "RunFailed")]
    private partial void LogRunFailed(string run, string task, string code, string reason);

    [LoggerMessage(EventIds.AssignmentRejected, LogLevel.Warning, "{Task} generation {Generation} rejected: {Reason} ({Detail}); the hub gives it to somebody else", EventName = "AssignmentRejected")]
    private partial void LogAssignmentRejected(string task, long generation, string reason, string? detail);

    [LoggerMessage(EventIds.StoreUnavailable, LogLevel.Error, "{Message}; {Hint}; nothing is lost, trying again every {Delay}", EventName = "StoreUnavailable")]
    private partial void LogStoreUnavailable(string message, string hint, TimeSpan delay);

    [LoggerMessage(EventIds.StoreRecovered, LogLevel.Information, "the store can be written again", EventName = "StoreRecovered")]
    private partial void LogStoreRecovered();

    [LoggerMessage(EventIds.OrderBroke, LogLevel.Error, "{Run} {Order} broke; the run fails by name, the daemon goes on", EventName = "OrderBroke")]
    private partial void LogOrderBroke(string run, OrderKind order, Exception fault);
}
