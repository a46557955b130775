using System.Globalization;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.EndToEnd;

/// <summary>kill -9 at each durable step of a task's life, of the sidecar, the hub, the agent, and sidecar and hub at once.</summary>
public sealed class CrashMatrixTests : IDisposable
{
    // These are passed only where there is a forge, or an attempt that failed or has to wait; tests of their own arm them.
    private static readonly CrashPointName[] Elsewhere =
    [
        CrashPointName.PullRequestOpened, CrashPointName.Rescued, CrashPointName.AssignmentHeld, CrashPointName.RunSetAside,
    ];

    private static readonly string[] Points =
        [.. CrashPoints.Of(CrashFamily.Task).Except(Elsewhere).Concat(CrashPoints.Of(CrashFamily.Retention)).Select(CrashPoints.Word)];

    // The run is removed as soon as it is settled and its workspace gone.
    private const string RemoveAtOnce = """{ "workspace": { "keepFor": "00:00:00" }, "retention": { "interval": "00:00:01", "minRuns": 0, "maxRuns": 0 } }""";

    // Only there is an agent that could be killed.
    private static readonly string[] AgentLives = ["woken", "confirmed", "working"];

    private static readonly string[] Victims = ["sidecar", "hub", "sidecar and hub", "agent"];

    private readonly TempDir _directory = new();

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var point in Points)
        {
            foreach (var victims in Victims.Where(victims => victims != "agent" || AgentLives.Contains(point)))
            {
                cases.Add(point, victims);
            }
        }

        return cases;
    }

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Cases))]
    public async Task Killed_at_any_step_a_task_has_one_outcome_and_one_execution_at_a_time(string point, string victims)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        using var hub = await TestHub.StartAsync(_directory);
        var crash = new CrashPoint(_directory, point);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), Scripts.JealousWorker(_directory),
            point.StartsWith("retention", StringComparison.Ordinal) ? RemoveAtOnce : "{}").StartAsync(crashPoint: crash);
        if (!AgentLives.Contains(point))
        {
            Scripts.Go(_directory);
        }

        var task = await hub.AddAsync("Write it down", origin.Path, maxRetries: 2);
        await crash.ReachedAsync();
        if (AgentLives.Contains(point))
        {
            await Scripts.StartedAsync(_directory);
        }

        await KillAsync(victims, hub, sidecar);
        Scripts.Go(_directory);
        crash.Release();

        var done = await hub.WaitForAsync(task, "completed", TimeSpan.FromSeconds(60));
        var commit = done.GetProperty("result").GetProperty("commit").GetString();
        Assert.Equal(commit, await origin.HeadAsync($"iris/{task}"));
        Assert.Equal(1, await hub.CountAsync(task, "completed"));
        Assert.Equal(victims == "agent" ? 2 : 1, Scripts.Executions(_directory).Length); // Killing anybody but the agent never starts a second one.
        Assert.False(File.Exists(_directory["overlaps"]), "two agents of one task at once");
        var generations = Scripts.Executions(_directory).Select(line => long.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(generations.Order(), generations);
        await Wait.ForAsync(async () => (await sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "the run to be settled");
        Assert.Equal(0, (await sidecar.StatusAsync()).GetProperty("outbox_messages").GetInt32());
    }

    private async Task KillAsync(string victims, TestHub hub, TestSidecar sidecar)
    {
        if (victims == "agent")
        {
            await TestProgram.MustAsync("/bin/kill", "-9", Scripts.Executions(_directory)[0].Split(' ')[0]);
        }

        if (victims.Contains("sidecar", StringComparison.Ordinal))
        {
            sidecar.Program.Kill();
        }

        if (victims.Contains("hub", StringComparison.Ordinal))
        {
            hub.Kill();
            await hub.StartAsync();
        }

        if (victims.Contains("sidecar", StringComparison.Ordinal))
        {
            await sidecar.StartAsync();
        }
    }
}
