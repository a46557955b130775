using FleetHub.Agents;
using FleetHub.Tasks;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using TaskStatus = FleetHub.Tasks.TaskStatus;

namespace FleetHub.Tests;

/// <summary>The scheduler sleeps until the next deadline, also where that deadline passes while a pass is under way.</summary>
public sealed class SchedulerTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    // Each look at the clock is 20 ms later than the one before, so every reading of one pass is the one that the end of the
    // pause falls behind, once.
    [Theory(Timeout = 60_000), Trait("kind", "a deadline that passes between a decision and its alarm")]
    [MemberData(nameof(Looks))]
    public Task The_end_of_a_pause_is_seen_wherever_in_a_pass_it_falls(int looks) => AssertAssignedAsync((time, agent, _, _) =>
    {
        agent.Hold(time.Now + (looks * RestlessTime.Step));
        return Task.CompletedTask;
    });

    [Theory(Timeout = 60_000), Trait("kind", "a deadline that passes between a decision and its alarm")]
    [MemberData(nameof(Looks))]
    public Task The_end_of_a_tasks_own_pause_is_seen_wherever_in_a_pass_it_falls(int looks) => AssertAssignedAsync((time, _, queue, task) =>
        queue.ChangeAsync(task.Id, (found, _) => TaskRules.Requeue(found, "test", time.NowMs, TimeSpan.FromTicks(looks * RestlessTime.Step))));

    public static TheoryData<int> Looks => [.. Enumerable.Range(1, 12)];

    private static AgentConnection Iris(RestlessTime time)
    {
        var identify = new SidecarMessage.Identify { AgentId = "iris", Token = "x", ProtocolVersion = ProtocolVersions.V1 };
        return new AgentConnection(null!, identify, ProtocolVersions.V1, 1, time.GetUtcNow(), 0); // Nothing is sent: no socket is behind it.
    }

    private async Task AssertAssignedAsync(Func<RestlessTime, AgentConnection, TaskQueue, TaskRecord, Task> pause)
    {
        var (time, options) = (new RestlessTime(), new HubOptions());
        using var store = Open();
        var queue = new TaskQueue(store, options, time);
        var agents = new AgentRegistry(store, new IdentityWatch(options, time), time);
        using var agent = Iris(time);
        agents.Join(agent);
        var task = await queue.AddAsync(new TaskSpec { Description = "x" }, 2, "test");
        await pause(time, agent, queue, task);
        using var scheduler = new Scheduler(queue, agents, time, new Verdict(), new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance), NullLogger<Scheduler>.Instance);
        await scheduler.StartAsync(CancellationToken.None);

        // Half of the longest sleep: whoever slept through the end of the pause is not there in time.
        await Wait.UntilAsync(() => queue.Show(task.Id)!.Value.Task.Status == TaskStatus.Assigned, "the assignment", TimeSpan.FromSeconds(15));
        await scheduler.StopAsync(CancellationToken.None);
    }

    private Store Open() => StoreFile.Open(_directory["hub.db"], 7, Migrations.From(typeof(TaskQueue).Assembly), TimeProvider.System).Store;

    private sealed class RestlessTime : TimeProvider
    {
        public const long Step = 20 * TimeSpan.TicksPerMillisecond;
        private long _now = DateTimeOffset.UnixEpoch.AddYears(60).Ticks;

        public long Now => Volatile.Read(ref _now);

        public long NowMs => new DateTimeOffset(Now, TimeSpan.Zero).ToUnixTimeMilliseconds();

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _now, Step);

        public override DateTimeOffset GetUtcNow() => new(GetTimestamp(), TimeSpan.Zero);
    }
}
