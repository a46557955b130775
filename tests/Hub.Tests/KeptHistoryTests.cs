using FleetHub.Tasks;
using FleetSidecar.Ground.Storage;

namespace FleetHub.Tests;

/// <summary>What one agent says about one task stays bounded, and what it said last is known again.</summary>
public sealed class KeptHistoryTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000), Trait("kind", "a store that one peer fills")]
    public async Task Thousands_of_acceptances_of_one_attempt_leave_a_bounded_store_and_an_outcome_that_is_known_again()
    {
        var options = new HubOptions();
        using var store = StoreFile.Open(_directory["hub.db"], 7, Migrations.From(typeof(TaskQueue).Assembly), TimeProvider.System).Store;
        var queue = new TaskQueue(store, options, TimeProvider.System);
        var task = await queue.AddAsync(new TaskSpec { Description = "x" }, 2, "test");
        var other = await queue.AddAsync(new TaskSpec { Description = "y" }, 2, "test");
        await queue.ChangeAsync(task.Id, (found, now) => TaskRules.Assign(found, "iris", now, options));

        for (var number = 0; number < 2000; number++)
        {
            var answer = await queue.TakeAsync("iris", new TaskMessage("task_accepted", task.Id, 1, $"m{number}"), (found, now) => (TaskRules.Accepted(found, now, options), "accepted"));
            Assert.Equal(("accepted", null, false), (answer.Status, answer.Refusal, answer.Repeated));
        }

        Assert.True((await Again("m1999")).Repeated);
        var outcome = new TaskMessage("task_failed", task.Id, 1, "outcome");
        Assert.Equal("retried", (await queue.TakeAsync("iris", outcome, (found, now) => queue.Fail(found, "no", now))).Status);
        Assert.True((await queue.TakeAsync("iris", outcome, (found, now) => queue.Fail(found, "no", now))).Repeated);
        Assert.Equal((TaskStore.KeptHistory + 1, TaskStore.KeptMessages), ((int)Rows("history", task.Id), (int)Rows("taken", task.Id)));
        Assert.Equal("queued", store.Read(db => db.Query("SELECT event FROM history WHERE task_id = ?1 ORDER BY entry LIMIT 1", row => row.Text(0), task.Id)).Single());
        Assert.Equal(1, Rows("history", other.Id));
        Assert.Equal(1, queue.Show(task.Id)!.Value.Task.RetryCount);

        Task<Answer> Again(string message) => queue.TakeAsync("iris", new TaskMessage("task_accepted", task.Id, 1, message), (_, _) => throw new InvalidOperationException("decided twice"));
        long Rows(string table, string id) => store.Read(db => db.Number($"SELECT COUNT(*) FROM {table} WHERE task_id = ?1", id));
    }
}
