using System.Globalization;
using System.Text.Json;
using FleetSidecar.Testing;

namespace FleetSidecar.Soak;

/// <summary>One execution of an agent, as it noted it itself.</summary>
internal sealed record Execution(string Pid, string Task, long Generation);

/// <summary>A hub, a sidecar with three slots and a git origin, all real.</summary>
internal sealed class Fleet : IDisposable
{
    private static readonly TimeSpan SettleLimit = TimeSpan.FromMinutes(8);
    private readonly TempDir _directory;
    private readonly List<string> _logs = [];

    private Fleet(TempDir directory, GitOrigin origin, TestHub hub, TestSidecar sidecar) => (_directory, Origin, Hub, Sidecar) = (directory, origin, hub, sidecar);

    public GitOrigin Origin { get; }

    public TestHub Hub { get; }

    public TestSidecar Sidecar { get; }

    public List<string> Tasks { get; } = [];

    public static async Task<Fleet> StartAsync(TempDir directory)
    {
        var origin = await GitOrigin.CreateAsync(directory);
        var hub = await TestHub.StartAsync(directory);

        // Works for a moment, holds a lock of its task while it does, commits, reports.
        var agent = directory.WriteScript("agent.sh", $$"""
            set -eu
            cd "$FLEET_WORKSPACE"
            exec 9>"{{directory.Path}}/lock-$FLEET_TASK_ID"
            flock --nonblock 9 || echo "$FLEET_TASK_ID" >> '{{directory["overlaps"]}}'
            echo "$$ $FLEET_TASK_ID $FLEET_GENERATION" >> '{{directory["executions"]}}'
            fleet-sidecar task start 9>&-
            sleep "0.$(( $$ % 9 + 1 ))" 9>&-
            echo done > "$FLEET_TASK_ID.txt"; git add --all 9>&-; git commit --quiet -m "Do $FLEET_TASK_ID" 9>&-
            sleep "0.$(( $$ % 7 + 1 ))" 9>&-
            fleet-sidecar task complete 9>&-
            """);
        var sidecar = TestSidecar.Create(directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, """{ "agent": { "maxConcurrentRuns": 3 } }""");
        await sidecar.StartAsync();
        return new Fleet(directory, origin, hub, sidecar);
    }

    public async Task AddAsync() => Tasks.Add(await Hub.AddAsync("soak", Origin.Path, maxRetries: 3));

    public async Task RestartSidecarAsync()
    {
        _logs.Add(Sidecar.Program.Text);
        await Sidecar.StartAsync(waitForLink: false);
    }

    public async Task<IReadOnlyList<JsonElement>> SettleAsync()
    {
        foreach (var task in Tasks)
        {
            await Wait.ForAsync(async () => await HubAnswersAsync(() => Hub.TaskAsync(task)) is { } found && IsFinal(found) ? new object() : null, $"{task} to be over", SettleLimit);
        }

        await Wait.ForAsync(async () => (await Sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "every run to be settled");
        var all = new List<JsonElement>();
        foreach (var task in Tasks)
        {
            all.Add(await Hub.TaskAsync(task));
        }

        return all;
    }

    /// <summary>Null where the hub cannot be asked just now.</summary>
    public static async Task<JsonElement?> HubAnswersAsync(Func<Task<JsonElement>> ask)
    {
        try
        {
            return await ask();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public static bool IsFinal(JsonElement task) => task.GetProperty("status").GetString() is "completed" or "dead_letter" or "cancelled";

    public IReadOnlyList<Execution> Executions() => File.Exists(_directory["executions"])
        ? [.. File.ReadAllLines(_directory["executions"]).Select(line => line.Split(' ')).Select(part => new Execution(part[0], part[1], long.Parse(part[2], CultureInfo.InvariantCulture)))]
        : [];

    public IReadOnlyList<string> Overlaps() => File.Exists(_directory["overlaps"]) ? File.ReadAllLines(_directory["overlaps"]) : [];

    public string Logs() => string.Join("\n--- the next sidecar ---\n", _logs.Append(Sidecar.Program.Text).TakeLast(5));

    public void Dispose()
    {
        Sidecar.Dispose();
        Hub.Dispose();
    }
}
