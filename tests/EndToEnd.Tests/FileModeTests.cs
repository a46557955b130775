using FleetSidecar.Ground.Files;

namespace FleetSidecar.EndToEnd;

/// <summary>Outside of a service manager: whatever the umask, what others may read and write of our files is the
/// same.</summary>
public sealed class FileModeTests : IDisposable
{
    private const UnixFileMode Write = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("000")]
    [InlineData("002")]
    [InlineData("077")]
    public async Task A_task_is_done_and_others_can_write_nothing_and_read_only_what_the_docs_name(string umask)
    {
        // The test's own directory is closed; others are let in, so that what is below decides.
        File.SetUnixFileMode(_directory.Path, (UnixFileMode)0b111_101_101);
        using var hub = await TestHub.StartAsync(_directory);
        var origin = await GitOrigin.CreateAsync(_directory);
        var agent = Scripts.Agent(_directory, "fleet-sidecar task start\numask > \"$FLEET_TEST_DIR/umask\"\necho out\necho done > done.txt\ngit add --all\ngit commit --quiet -m Done\nfleet-sidecar task complete --output x");
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("iris"), agent,
            $$"""{ "control": { "socket": "{{_directory["iris-state/control.sock"]}}" } }""");
        using var daemon = Start(umask, TestProgram.Sidecar, "run", "--config", sidecar.ConfigFile);
        await daemon.WaitForLineAsync("LinkUp]");

        var task = await hub.AddAsync("x", origin.Path);
        await hub.WaitForAsync(task, "completed");
        var paths = Walk(sidecar.State).ToList();

        Assert.Contains(paths, path => path.EndsWith("/wake-1/exit", StringComparison.Ordinal));
        Assert.Contains(paths, path => path.EndsWith("/wake-1/stdout", StringComparison.Ordinal));
        Assert.Contains(paths, path => path.EndsWith("/state.db-wal", StringComparison.Ordinal));
        Assert.Contains(paths, path => path.EndsWith("/logs/sidecar.log", StringComparison.Ordinal));
        Assert.Contains(paths, path => path.Contains("/mirrors/", StringComparison.Ordinal));
        Assert.Empty(Writable(paths));
        Assert.DoesNotContain(Readable(sidecar.State), path => path != Path.Combine(sidecar.State, "alive"));
        Assert.Equal(umask == "077" ? "0077" : "0022", (await File.ReadAllTextAsync(_directory["umask"])).Trim());
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(paths.Single(path => path.EndsWith("/wake-1/exit", StringComparison.Ordinal))));
    }

    [Fact(Timeout = 120_000)]
    public async Task Directories_that_an_earlier_start_left_open_are_closed()
    {
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory));
        foreach (var path in new[] { sidecar.State, Path.Combine(sidecar.State, "runs"), Path.Combine(sidecar.State, "workspaces") })
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, (UnixFileMode)0b111_111_111);
        }

        await sidecar.StartAsync();

        Assert.Equal((UnixFileMode)0b111_101_101, File.GetUnixFileMode(sidecar.State));
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(Path.Combine(sidecar.State, "runs")));
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(Path.Combine(sidecar.State, "workspaces")));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("000")]
    [InlineData("077")]
    public async Task The_hubs_files_are_its_users_alone(string umask)
    {
        File.SetUnixFileMode(_directory.Path, (UnixFileMode)0b111_101_101);
        var data = _directory["data"];
        using (var hub = Start(umask, TestProgram.Hub, "serve", "--data", data, "--listen", "http://127.0.0.1:0"))
        {
            await hub.WaitForLineAsync(" accepts on ");
            Assert.Equal(0, await Start(umask, TestProgram.Hub, "token", "create", "iris", "--data", data).EndAsync());
            Assert.Equal(0, await Start(umask, TestProgram.Hub, "task", "add", "--description", "x", "--data", data).EndAsync());

            var paths = Walk(data).ToList();

            Assert.Contains(paths, path => path.EndsWith("/hub.db-wal", StringComparison.Ordinal));
            Assert.Empty(Writable(paths));
            Assert.Empty(Readable(data));
            Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(data) & (UnixFileMode)0b000_000_111);
        }

        // A copy that was put back by hand.
        File.SetUnixFileMode(Path.Combine(data, "hub.db"), (UnixFileMode)0b110_100_100);
        using var again = Start(umask, TestProgram.Hub, "serve", "--data", data, "--listen", "http://127.0.0.1:0");
        await again.WaitForLineAsync(" accepts on ");
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(Path.Combine(data, "hub.db")));
    }

    private static TestProgram Start(string umask, string program, params string[] arguments) =>
        TestProgram.Start("/bin/sh", ["-c", $"umask {umask}; exec \"$0\" \"$@\"", program, .. arguments]);

    private static IEnumerable<string> Walk(string root) => Directory.EnumerateFileSystemEntries(root, "*", new EnumerationOptions
    {
        RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false,
    }).Prepend(root).Where(path => new FileInfo(path).LinkTarget is null);

    // Sockets are opened by writing; who may is said in docs/security.md.
    private static IEnumerable<string> Writable(IEnumerable<string> paths) =>
        paths.Where(path => !path.EndsWith(".sock", StringComparison.Ordinal) && (Mode(path) & Write) != 0);

    // The daemon clears up meanwhile.
    private static UnixFileMode Mode(string path) => PathFacts.Of(path)?.Mode ?? 0;

    // What another user gets to: through directories that all may enter.
    private static IEnumerable<string> Readable(string directory)
    {
        if ((Mode(directory) & UnixFileMode.OtherExecute) == 0)
        {
            yield break;
        }

        foreach (var path in Directory.EnumerateFileSystemEntries(directory).Where(path => new FileInfo(path).LinkTarget is null && !path.EndsWith(".sock", StringComparison.Ordinal)))
        {
            if (Directory.Exists(path))
            {
                foreach (var below in Readable(path))
                {
                    yield return below;
                }
            }
            else if ((Mode(path) & UnixFileMode.OtherRead) != 0)
            {
                yield return path;
            }
        }
    }
}
