using System.Globalization;
using System.Text.Json;
using FleetSidecar.Testing;

namespace FleetSidecar.Soak;

/// <summary>One execution of an agent, as it noted it itself.</summary>
internal sealed record Execution(string Pid, string Task, long Generation);

/// <summary>A hub, a sidecar with three slots and a git origin, all real.</summary>
internal sealed class Fleet : IDisposable
{
    /// <summary>Most settled runs that the sidecar keeps; far fewer than a soak makes.</summary>
    public const int KeptRuns = 20;

    // A task may be hurt by its agent's death, by faults of the sidecar and by restarts, and must complete all the same.
    private const int MaxRetries = 12;

    private const string NextSidecar = "\n--- the next sidecar ---\n";

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
        var hub = await TestHub.StartAsync(directory, "--retry-delay", "00:00:01");

        // Works for a moment, holds a lock of its task while it does, commits, reports. An attempt may find its work done: the
        // one before it had pushed it when the sidecar failed.
        var agent = directory.WriteScript("agent.sh", $$"""
            set -eu
            cd "$FLEET_WORKSPACE"
            exec 9>"{{directory.Path}}/lock-$FLEET_TASK_ID"
            flock --nonblock 9 || echo "$FLEET_TASK_ID" >> '{{directory["overlaps"]}}'
            echo "$$ $FLEET_TASK_ID $FLEET_GENERATION" >> '{{directory["executions"]}}'
            fleet-sidecar task start 9>&-
            sleep "0.$(( $$ % 9 + 1 ))" 9>&-
            echo done > "$FLEET_TASK_ID.txt"; git add --all 9>&-
            git diff --cached --quiet 9>&- || git commit --quiet -m "Do $FLEET_TASK_ID" 9>&-
            sleep "0.$(( $$ % 7 + 1 ))" 9>&-
            fleet-sidecar task complete 9>&-
            """);
        var sidecar = TestSidecar.Create(directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent, $$"""
            {
              "agent": { "maxConcurrentRuns": 3 }, "workspace": { "keepFor": "00:00:00" },
              "retention": { "interval": "00:00:01", "minRuns": 5, "maxRuns": {{KeptRuns}} }
            }
            """);
        await sidecar.StartAsync();
        return new Fleet(directory, origin, hub, sidecar);
    }

    public async Task AddAsync() => Tasks.Add(await Hub.AddAsync("soak", Origin.Path, maxRetries: MaxRetries));

    /// <param name="fault">A fault point that throws once in the new process, or null.</param>
    public async Task RestartSidecarAsync(string? fault = null)
    {
        _logs.Add(Sidecar.Program.Text);
        var environment = fault is null ? null : new Dictionary<string, string?> { ["FLEET_FAULT_POINT"] = fault };
        await Sidecar.StartAsync(waitForLink: false, environment, fault is null ? null : new CrashPoint(_directory, ""));
    }

    /// <summary>Cancels a task and gives it out again at once. False where it was over already.</summary>
    public async Task<bool> CancelAndRetryAsync(string task)
    {
        using var cancelled = await Hub.Client.PostAsync(new Uri($"/api/tasks/{task}/cancel", UriKind.Relative), null);
        if (!cancelled.IsSuccessStatusCode)
        {
            return false;
        }

        using var again = await Hub.Client.PostAsync(new Uri($"/api/tasks/{task}/retry", UriKind.Relative), null);
        return again.IsSuccessStatusCode ? true : throw new InvalidOperationException($"{task} was cancelled and cannot be retried: {again.StatusCode}");
    }

    public async Task<IReadOnlyList<JsonElement>> SettleAsync()
    {
        foreach (var task in Tasks)
        {
            await Wait.ForAsync(async () => await HubAnswersAsync(() => Hub.TaskAsync(task)) is { } found && IsFinal(found) ? new object() : null, $"{task} to be over", SettleLimit);
        }

        await SidecarAnswersAsync();
        await Wait.ForAsync(async () => (await Sidecar.StatusAsync()).GetProperty("runs").GetArrayLength() == 0 ? new object() : null, "every run to be settled");
        var all = new List<JsonElement>();
        foreach (var task in Tasks)
        {
            all.Add(await Hub.TaskAsync(task));
        }

        return all;
    }

    /// <summary>
    /// The last kill may have come when every task was over, so the sidecar after it may not listen yet. A sidecar that ended by
    /// itself is a fault, and its log says which.
    /// </summary>
    private async Task SidecarAnswersAsync() => await Wait.ForAsync(async () =>
    {
        var (code, _) = await TestProgram.RunAsync(TestProgram.Sidecar, ["status", "--json", "--config", Sidecar.ConfigFile]);
        return code == 0 ? new object()
            : Sidecar.Program.IsRunning ? null
            : throw new InvalidOperationException($"The sidecar ended by itself:\n{Sidecar.Program.Text}");
    }, "the last sidecar to answer");

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

    public string Logs() => string.Join(NextSidecar, _logs.Append(Sidecar.Program.Text).TakeLast(5));

    /// <summary>What every sidecar logged of one task.</summary>
    public string LogsOf(string task) => string.Join('\n', string.Join(NextSidecar, _logs.Append(Sidecar.Program.Text)).Split('\n').Where(line => line.StartsWith("---", StringComparison.Ordinal) || line.Contains(task, StringComparison.Ordinal)));

    public void Dispose()
    {
        Sidecar.Dispose();
        Hub.Dispose();
    }
}
