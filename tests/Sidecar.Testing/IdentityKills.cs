using System.Globalization;

namespace FleetSidecar.Testing;

/// <summary>What a series of kills came to.</summary>
public sealed record KillTally(int Kills, int EndedBefore, int InTheMiddle, IReadOnlyDictionary<string, int> Starts, IReadOnlyList<string> Broken);

/// <summary>kill -9 of a sync at random moments, and what must hold at that very moment and after the next sync.</summary>
public sealed class IdentityKills(TempDir directory, Random random)
{
    /// <summary>Which sources hold the master's identity when the sync begins; in the last one none is left that is ours.</summary>
    public static readonly IReadOnlyList<(string Name, string[] Places)> Starts =
        [("clean", []), ("live", ["live"]), ("backup", ["backup"]), ("live and backup", ["live", "backup"]), ("all", ["live", "backup", "sealed"])];

    private readonly Dictionary<string, TimeSpan> _length = [];

    /// <summary>Syncs, method and start in turn, until so many were killed; one that ends before its kill came does not count.</summary>
    public async Task<KillTally> RunAsync(int count)
    {
        var (kills, ended, middle, broken) = (0, 0, 0, new List<string>());
        var starts = new Dictionary<string, int>();
        var scenes = new Dictionary<string, IdentityScene>();
        for (var round = 0; kills < count; round++)
        {
            var method = round % 2 == 0 ? "in-place" : "swap";
            var start = Starts[round / 2 % Starts.Count];
            var lost = start.Name == "all";
            if (lost || !scenes.TryGetValue(method, out var scene))
            {
                // What is lost stays lost: a scene of its own, and a fresh one afterwards.
                scene = await IdentityScene.CreateAsync(directory, method, $"{(lost ? "lost" : "iris")}{round}");
                if (!lost)
                {
                    scenes[method] = scene;
                }
            }

            await scene.PushContaminatedAsync();
            var killed = await StrikeAsync(scene, start, method, $"round {round} ({method}, {start.Name})", broken);
            kills += killed ? 1 : 0;
            ended += killed ? 0 : 1;
            middle += killed && Directory.Exists(Path.Combine(scene.Home, "journal")) ? 1 : 0;
            starts[start.Name] = starts.GetValueOrDefault(start.Name) + 1;
            if (lost)
            {
                await AfterLossAsync(scene, $"round {round} ({method}, {start.Name})", broken);
            }
            else
            {
                broken.AddRange((await AfterRecoveryAsync(scene)).Select(problem => $"round {round} ({method}, {start.Name}): {problem}"));
            }
        }

        return new KillTally(kills, ended, middle, starts, broken);
    }

    /// <summary>What the next sync must bring: the newest code, and every source ours.</summary>
    public static async Task<IReadOnlyList<string>> AfterRecoveryAsync(IdentityScene scene)
    {
        var problems = new List<string>();
        var (code, text) = await scene.RunAsync("sync");
        if (code != 0)
        {
            problems.Add($"the next sync ended with {code}: {text}");
        }

        if (scene.CodeVersion() != scene.Newest)
        {
            problems.Add($"the code is at {scene.CodeVersion()}, not {scene.Newest}");
        }

        var missing = (from place in new List<string> { "live", "backup", "sealed" } from file in IdentityScene.Files select $"{place} {file}").Except(scene.Ours()).ToList();
        problems.AddRange(missing.Select(source => $"{source} is not ours after recovery"));
        if (Directory.Exists(Path.Combine(scene.Home, "journal")) || (await scene.RunAsync("identity", "check")).Code != 0)
        {
            problems.Add("a journal is left, or 'identity check' is not content");
        }

        return problems;
    }

    private static async Task AfterLossAsync(IdentityScene scene, string where, List<string> broken)
    {
        var picture = scene.Picture();
        var (code, text) = await scene.RunAsync("sync");
        if (code != 78 || !text.Contains("identity_contaminated", StringComparison.Ordinal) || scene.Picture() != picture
            || !File.ReadAllText(Path.Combine(scene.Home, "record.json")).Contains("identity_contaminated", StringComparison.Ordinal))
        {
            broken.Add($"{where}: not refused, not recorded, or touched: {code} {text}");
        }
    }

    // True where the sync was killed, false where it ended first.
    private async Task<bool> StrikeAsync(IdentityScene scene, (string Name, string[] Places) start, string method, string where, List<string> broken)
    {
        foreach (var place in start.Places)
        {
            await scene.ContaminateAsync(place);
        }

        var (before, picture) = (scene.Ours(), start.Name == "all" ? scene.Picture() : "");
        var began = TimeProvider.System.GetTimestamp();
        using var program = scene.Start();
        using var watch = Watch(scene, out var struck);
        var usual = _length.GetValueOrDefault(method, TimeSpan.FromSeconds(1));
        var moment = start.Name == "all" ? Task.Delay(usual / 2 * random.NextDouble(), TimeProvider.System) : random.Next(4) switch { 0 => Task.Delay(usual * random.NextDouble(), TimeProvider.System), 1 => struck, _ => InTheMiddleAsync(scene, program, usual / 3 * random.NextDouble()) };
        await Task.WhenAny(moment, program.EndAsync());
        var killed = program.IsRunning;
        program.Kill();
        if (!killed)
        {
            _length[method] = TimeProvider.System.GetElapsedTime(began);
        }

        var gone = before.Except(scene.Ours()).ToList();
        broken.AddRange(gone.Select(source => $"{where}: {source} was ours and is not, at the moment of the kill"));
        if (start.Name == "all" && scene.Picture() != picture)
        {
            broken.Add($"{where}: no source was ours, and the tree was touched");
        }

        return killed;
    }

    // Where it matters most: while the plan is on disk.
    private static async Task InTheMiddleAsync(IdentityScene scene, TestProgram program, TimeSpan further)
    {
        var plan = Path.Combine(scene.Home, "journal", "plan.json");
        while (program.IsRunning && !File.Exists(plan))
        {
            await Task.Yield();
        }

        var seen = TimeProvider.System.GetTimestamp();
        while (program.IsRunning && TimeProvider.System.GetElapsedTime(seen) < further)
        {
            await Task.Yield();
        }
    }

    // Strikes at the n-th change of a file in the tree or in our own directory.
    private FileSystemWatcher Watch(IdentityScene scene, out Task struck)
    {
        var left = random.Next(1, 150);
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        struck = signal.Task;
        var watch = new FileSystemWatcher(random.Next(2) == 0 ? scene.Home : Path.GetFullPath(new FileInfo(scene.Tree).ResolveLinkTarget(true)?.FullName ?? scene.Tree)) { IncludeSubdirectories = true };
        void Count(object sender, FileSystemEventArgs change)
        {
            if (Interlocked.Decrement(ref left) == 0)
            {
                signal.TrySetResult();
            }
        }

        watch.Created += Count;
        watch.Changed += Count;
        watch.Deleted += Count;
        watch.Renamed += Count;
        watch.EnableRaisingEvents = true;
        return watch;
    }

    public override string ToString() => string.Join(", ", _length.Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Key} {one.Value.TotalMilliseconds:0} ms")));
}
