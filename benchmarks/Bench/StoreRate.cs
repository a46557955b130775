using FleetSidecar.Configuration;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.Agents;
using FleetSidecar.Testing;

namespace FleetSidecar.Bench;

/// <summary>Durable accepts a second: the run and its message in one commit, one caller and many.</summary>
internal static class StoreRate
{
    private static readonly TimeSpan Span = TimeSpan.FromSeconds(3);

    public static async Task<IEnumerable<string>> MeasureAsync(TempDir directory)
    {
        var lines = new List<string>();
        foreach (var callers in new[] { 1, 8, 32, 128 })
        {
            var opened = StoreFile.Open(directory[$"store-{callers}.db"], RunStore.ApplicationId, Migrations.From(typeof(RunStore).Assembly), TimeProvider.System);
            using var store = opened.Store;
            var runs = new RunStore(store, new WakeOptions { Profiles = [new WakeProfile { Name = "main" }] });
            var count = 0;
            var started = TimeProvider.System.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
            {
                for (var number = 0; TimeProvider.System.GetElapsedTime(started) < Span; number++)
                {
                    var draft = Accept($"task-{caller}-{number}");
                    await runs.SaveAsync(draft);
                    Interlocked.Increment(ref count);
                }
            })));
            lines.Add($"durable accepts, {callers} at once | {count / TimeProvider.System.GetElapsedTime(started).TotalSeconds:0} a second");
        }

        return lines;
    }

    private static RunDraft Accept(string task)
    {
        var config = new SidecarConfig { Wake = new WakeOptions { Profiles = [new WakeProfile { Name = "main", Command = ["/bin/true"] }] } };
        var book = new RunBook(config, _ => [], () => null, () => null);
        var draft = book.Begin(1);
        book.Apply(draft, new RunInput.Assigned(new HubMessage.TaskAssign { TaskId = task, Generation = 1, Description = "x" }, draft.Now));
        return draft;
    }
}
