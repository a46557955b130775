namespace FleetSidecar.EndToEnd;

/// <summary>A version that does not fit on the disk fills none, closes nothing and is in nobody's way afterwards.</summary>
[Trait("kind", "a sync that fills the disk")]
public sealed class IdentityRoomTests : IDisposable
{
    private const string Floors = """{ "selfTest": { "diskFloorBytes": 40000000, "diskFloorInodes": 1000 } }""";

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "head -c 200M /dev/zero >large")]
    [InlineData("swap", "head -c 200M /dev/zero >large")]
    [InlineData("in-place", "mkdir many; cd many; seq 5000 | xargs touch")]
    [InlineData("swap", "mkdir many; cd many; seq 5000 | xargs touch")]
    public async Task A_version_that_does_not_fit_is_refused_before_anything_is_written_and_the_next_one_is_taken(string method, string theirs)
    {
        using var disk = await SmallDisk.TryMountAsync(_directory.Path, 200, ",nr_inodes=4000");
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        using var elsewhere = new TempDir();
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: Floors);
        await scene.MustAsync("sync");
        var picture = scene.Picture();
        var large = await PushFromElsewhereAsync(scene, elsewhere, theirs);

        var (code, said) = await scene.RunAsync("sync");

        Assert.True(code == 1, said);
        Assert.Contains("disk_full: the new version needs ", said, StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")) && File.Exists(Path.Combine(scene.Home, "journal", "plan.json")), large);
        await PushFromElsewhereAsync(scene, elsewhere, "rm -rf large many; echo small >small");
        await scene.MustAsync("sync");
        Assert.Equal("small", File.ReadAllText(Path.Combine(scene.Tree, "small")).Trim());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task A_disk_that_somebody_fills_meanwhile_costs_this_sync_and_no_later_one(string method)
    {
        using var disk = await SmallDisk.TryMountAsync(_directory.Path, 100);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        using var elsewhere = new TempDir();
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: Floors);
        await scene.MustAsync("sync");
        await PushFromElsewhereAsync(scene, elsewhere, "head -c 30M /dev/zero >large");
        var crash = new CrashPoint(_directory, "sync_journaled");
        using var sync = scene.Start(crash);
        await crash.ReachedAsync();
        await TestProgram.RunAsync("/bin/sh", ["-c", $"head -c 100M /dev/zero >'{_directory["ballast"]}'"]);

        crash.Release();
        Assert.Equal(1, await sync.EndAsync());
        File.Delete(_directory["ballast"]);

        await PushFromElsewhereAsync(scene, elsewhere, "rm large; echo small >small");
        var (code, said) = await scene.RunAsync("sync");
        (code, said) = code == 0 ? (code, said) : await scene.RunAsync("sync"); // The first one may have to take the old plan back.
        Assert.True(code == 0, said);
        Assert.Equal("small", File.ReadAllText(Path.Combine(scene.Tree, "small")).Trim());
        Assert.True(scene.Ours().Count >= IdentityScene.Files.Count(), said);
    }

    // The upstream alone lies on the small disk, with what git makes of a large version.
    private static async Task<string> PushFromElsewhereAsync(IdentityScene scene, TempDir elsewhere, string change)
    {
        var seed = elsewhere["seed"];
        if (!Directory.Exists(seed))
        {
            await IdentityScene.GitAsync(elsewhere.Path, "clone", "--quiet", scene.Upstream, seed);
        }

        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{seed}'; {change}");
        await IdentityScene.GitAsync(seed, "add", "--all");
        await IdentityScene.GitAsync(seed, "commit", "--quiet", "--message", "Next");
        await IdentityScene.GitAsync(seed, "push", "--quiet", "origin", "HEAD:main");
        return (await IdentityScene.GitAsync(seed, "rev-parse", "HEAD")).Trim();
    }
}
