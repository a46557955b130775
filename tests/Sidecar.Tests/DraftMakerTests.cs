using FleetSidecar.Agents;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging.Abstractions;

namespace FleetSidecar.Tests;

/// <summary>One commit of a batch: a run that cannot be stored costs itself, and no name is ever given to two runs.</summary>
public sealed class DraftMakerTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly OpenedStore _opened;
    private readonly RunStore _store;

    public DraftMakerTests()
    {
        _opened = StoreFile.Open(_directory["runs.db"], RunStore.ApplicationId, Migrations.From(typeof(RunStore).Assembly), TimeProvider.System);
        _store = new RunStore(_opened.Store, new WakeOptions { Profiles = [Some.Profile()] });
    }

    public void Dispose()
    {
        _opened.Store.Dispose();
        _directory.Dispose();
    }

    // Without a berth a new run has another name each time the draft is made.
    [Theory(Timeout = 30_000)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_new_run_that_cannot_be_stored_fails_by_name_whatever_it_is_called_at_each_try(bool waited)
    {
        await SaveAsync(Some.Run()); // A live row of the task of which the book knows nothing.
        var closed = waited ? new Drain.Closure("paused", "x") : null;
        var book = new RunBook(Some.Config(), _ => [], () => null, () => closed);
        var maker = new DraftMaker(book, _store, NullLogger.Instance);
        var assigned = new RunInput.Assigned(Some.Assign(generation: 2), ReceivedAtUnixMs: 1, HubTakesRejections: !waited);
        if (waited)
        {
            book.Take(await maker.CommitAsync([assigned], 1));
            Assert.Single(book.Held);
            closed = null;
        }

        var draft = await maker.CommitAsync(waited ? [] : [assigned], 2);

        var run = Assert.Single(draft.Changed);
        Assert.Equal((RunState.Failed, FailureClass.InternalError), (run.State, run.Facts.Failure?.Code));
        Assert.Equal(["task_accepted", "task_failed"], draft.Added.Select(message => message.Kind).Where(kind => kind != "wake_result"));
        Assert.Empty(draft.Held);
    }

    [Fact]
    public async Task The_name_of_a_run_is_never_another_runs_also_where_that_one_is_over()
    {
        await SaveAsync(Some.Run(RunState.Settled));

        await Assert.ThrowsAsync<UnsavableRunException>(() => SaveAsync(Some.Run(task: "task-2") with { Id = Some.Run().Id }));
        await Assert.ThrowsAsync<UnsavableRunException>(() => SaveAsync(Some.Run() with { Nonce = "another" }));

        Assert.Equal("task-1", Assert.Single(_store.LoadRecent(10)).TaskId);
    }

    [Fact]
    public async Task In_one_commit_a_run_that_is_over_makes_room_for_the_next_of_its_task()
    {
        await SaveAsync(Some.Run());

        await SaveAsync(Some.Run(generation: 2), Some.Run(RunState.Settled)); // In this order.

        Assert.Equal(2, Assert.Single(_store.LoadOpen()).Generation);
    }

    private Task SaveAsync(params Run[] runs)
    {
        var draft = Some.Book(Some.Config()).Begin(1);
        foreach (var run in runs)
        {
            draft.Change(run);
        }

        return _store.SaveAsync(draft);
    }
}
