using System.Net;
using System.Net.Sockets;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.EndToEnd;

/// <summary>kill -9 at every step of a sync: at that instant what was ours is ours, and the next sync, or the daemon's start, makes it whole.</summary>
public sealed class IdentityKillTests : IDisposable
{
    private const string Book = """{ "identity": { "contacts": { "path": "contacts.db", "table": "contacts", "key": "name" } } }""";

    private readonly TempDir _directory = new();

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var method in new[] { "in-place", "swap" })
        {
            foreach (var (name, _) in IdentityKills.Starts)
            {
                cases.Add(method, name);
            }
        }

        return cases;
    }

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 300_000)]
    [MemberData(nameof(Cases))]
    public async Task Killed_at_any_step_what_was_ours_is_ours_and_the_next_sync_makes_it_whole(string method, string start)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: Book);
        foreach (var point in Points(method, start))
        {
            await scene.PushContaminatedAsync();
            foreach (var place in IdentityKills.Starts.Single(one => one.Name == start).Places)
            {
                await scene.ContaminateAsync(place);
            }

            var (before, picture) = (scene.Ours(), scene.Picture());
            await KillAtAsync(scene, point);

            Assert.True(before.IsSubsetOf(scene.Ours()), $"{point}: {string.Join(", ", before.Except(scene.Ours()))} was ours and is not");
            if (start == "all")
            {
                Assert.Equal(picture, scene.Picture());
                Assert.Equal(78, (await scene.RunAsync("sync")).Code);
                Assert.Equal(picture, scene.Picture());
                Assert.Contains("identity_contaminated", File.ReadAllText(Path.Combine(scene.Home, "record.json")), StringComparison.Ordinal);
            }
            else
            {
                Assert.Equal($"{point}: ", $"{point}: {string.Join("; ", await IdentityKills.AfterRecoveryAsync(scene))}");
                Assert.Equal("clara iris-only", (await ContactsAsync(scene)).Replace(" master-only", "", StringComparison.Ordinal)); // Ours, once, and theirs once at most.
            }
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place", "sync_placing")]
    [InlineData("in-place", "sync_placed")]
    [InlineData("swap", "sync_turned")]
    [InlineData("swap", "identity_backed_up_one")]
    public async Task A_daemon_finishes_at_its_start_what_a_killed_sync_left(string method, string point)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.ContaminateAsync("backup");
        await KillAtAsync(scene, point);

        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);
        await daemon.WaitForLineAsync("SyncFinished]");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
        Assert.False(Directory.Exists(Path.Combine(scene.Home, "journal")));
    }

    [Fact(Timeout = 300_000)]
    public async Task Killed_at_random_moments_nothing_of_ours_is_lost()
    {
        var tally = await new IdentityKills(_directory, new Random(20)).RunAsync(20);

        Assert.Empty(tally.Broken);
        Assert.Equal(20, tally.Kills);
    }

    private async Task KillAtAsync(IdentityScene scene, string point)
    {
        var crash = new CrashPoint(_directory, point);
        using var program = scene.Start(crash);
        await Task.WhenAny(crash.ReachedAsync(), program.EndAsync());
        Assert.True(program.IsRunning, $"{point} was not reached: {program.Text}");
        program.Kill();
        Directory.Delete(_directory[$"crash-{point}"], recursive: true);
    }

    private static async Task<string> ContactsAsync(IdentityScene scene) =>
        (await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(scene.Tree, "contacts.db"), "SELECT name FROM contacts ORDER BY name")).Trim().ReplaceLineEndings(" ");

    // Every point of a sync but those that this one does not pass.
    private static IEnumerable<string> Points(string method, string start) => start == "all"
        ? [CrashPointName.SyncFetched.Word(), CrashPointName.SyncRead.Word()]
        : CrashPoints.Of(CrashFamily.Sync).Where(point => Passes(point, method == "swap", start)).Select(CrashPoints.Word);

    private static bool Passes(CrashPointName point, bool swap, string start) => point switch
    {
        CrashPointName.SyncPlacing => !swap,
        CrashPointName.SyncStaged or CrashPointName.SyncOverlaid or CrashPointName.SyncTurning or CrashPointName.SyncTurned => swap,
        CrashPointName.IdentityWrittenOne => swap || start.StartsWith("live", StringComparison.Ordinal),
        CrashPointName.IdentityBackedUpOne => start.Contains("backup", StringComparison.Ordinal),
        _ => true,
    };

    [Fact(Timeout = 120_000), Trait("kind", "killed programs leave files")]
    public async Task Half_written_objects_of_a_fetch_that_was_killed_are_gone_after_the_next_sync()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await scene.MustAsync("sync");
        var objects = Path.Combine(scene.Home, "upstream.git/objects");
        string[] left = [Path.Combine(objects, "pack/tmp_pack_aB3xYz"), Path.Combine(objects, "pack/tmp_idx_aB3xYz"), Path.Combine(objects, "ab/tmp_obj_aB3xYz")];
        Leave(left);

        await scene.MustAsync("sync");

        Assert.DoesNotContain(left, File.Exists);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a floor that is looked at once")]
    public async Task An_upstream_that_takes_the_disk_below_half_of_the_floor_is_ended_while_it_comes_and_leaves_nothing()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["iris-state"], 200);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var scene = await IdentityScene.CreateAsync(_directory, settings: """{ "selfTest": { "diskFloorBytes": 120000000, "diskFloorInodes": 100 } }""");
        await scene.MustAsync("sync");
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var syncing = scene.RunAsync("sync", "--set", $"identity.upstream.url=git://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/x.git");
        using var git = await silent.AcceptTcpClientAsync(TestContext.Current.CancellationToken); // It waits for what never comes.
        var half = Path.Combine(scene.Home, "upstream.git/objects/pack/tmp_pack_aB3xYz");

        Leave(half);
        await File.WriteAllBytesAsync(Path.Combine(scene.State, "ballast"), new byte[150_000_000]);

        var (code, said) = await syncing;
        Assert.True(code != 0, said);
        Assert.Contains("disk_full", said, StringComparison.Ordinal);
        Assert.Contains("while the repository was still coming", said, StringComparison.Ordinal);
        Assert.False(File.Exists(half), said);
    }

    private static void Leave(params string[] files)
    {
        foreach (var file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "half");
        }
    }
}
