using System.Buffers.Binary;

namespace FleetSidecar.EndToEnd;

/// <summary>What others own is not opened, believed or followed with more rights than theirs. The built programs, as root where a test needs another user.</summary>
[Trait("kind", "rights of one user serve the content of another")]
public sealed class RootRightsTests : IDisposable
{
    private const string Nobody = "65534";
    private readonly TempDir _directory = new();

    public RootRightsTests() => File.SetUnixFileMode(_directory.Path, (UnixFileMode)0x1ed); // 0755: other users go through it.

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Root_opens_the_hubs_store_as_the_hubs_user_alone()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can become another user");
        var (data, victim) = (_directory["hub"], _directory.Write("roots/victim", "of root"));
        using (var hub = await TestHub.StartAsync(_directory))
        {
            hub.Kill();
        }

        await TestProgram.MustAsync("/usr/bin/sqlite3", Path.Combine(data, "hub.db"), "PRAGMA journal_mode = DELETE");
        Plant(Path.Combine(data, "hub.db"), victim);
        await TestProgram.MustAsync("/bin/chown", "-R", Nobody, data);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "x", "--data", data]);
        var (served, why) = await TestProgram.RunAsync(TestProgram.Hub, ["serve", "--data", data, "--listen", $"http://127.0.0.1:{FreePort.Take()}"]);

        Assert.True(File.Exists(victim), $"{code}: {text}");
        File.Delete(Path.Combine(data, "hub.db-journal"));
        var (after, token) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "y", "--data", data]);
        Assert.True(after == 0 && token.Trim().Length > 20, $"{after}: {token}");
        Assert.All(Directory.GetFiles(data), file => Assert.Equal(Nobody, TestProgram.RunAsync("/usr/bin/stat", ["-c", "%u", file]).GetAwaiter().GetResult().Text.Trim()));
        Assert.Equal(78, served);
        Assert.Contains("runuser -u nobody -- fleet-hub serve", why, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Root_opens_no_store_that_others_may_have_put_there()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root has rights that others lack");
        using (var hub = await TestHub.StartAsync(_directory))
        {
            hub.Kill();
        }

        var data = _directory["hub"];
        await TestProgram.MustAsync("/bin/chmod", "0777", data);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "x", "--data", data]);
        var (served, why) = await TestProgram.RunAsync(TestProgram.Hub, ["serve", "--data", data, "--listen", $"http://127.0.0.1:{FreePort.Take()}"]);
        await TestProgram.MustAsync("/bin/chmod", "0755", data);
        var (after, token) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "x", "--data", data]);
        await TestProgram.MustAsync("/bin/sh", "-c", $"touch '{data}/hub.db-journal'; chown {Nobody} '{data}/hub.db-journal'");
        var (planted, left) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "y", "--data", data]);

        Assert.Equal((78, 78, 0, 78), (code, served, after, planted));
        Assert.Contains($"{data}/hub.db-journal belongs to nobody", left, StringComparison.Ordinal);
        Assert.Contains($"{data} may be written by everybody", text, StringComparison.Ordinal);
        Assert.Contains($"{data} may be written by everybody", why, StringComparison.Ordinal);
        Assert.NotEmpty(token);
    }

    [Fact(Timeout = 120_000)]
    public async Task Root_does_not_keep_its_group_for_a_user_that_the_machine_does_not_know()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give files away");
        using (var hub = await TestHub.StartAsync(_directory))
        {
            hub.Kill();
        }

        await TestProgram.MustAsync("/bin/chown", "-R", "399999:0", _directory["hub"]);

        var (code, text) = await TestProgram.RunAsync(TestProgram.Hub, ["token", "create", "x", "--data", _directory["hub"]]);

        Assert.NotEqual(0, code);
        Assert.Contains("whose group is root's or is not known", text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_dead_mans_switch_believes_nothing_that_the_daemons_user_may_have_put_beside_its_state()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give files away");
        var hook = _directory.WriteScript("hook", $"touch '{_directory["pwned"]}'");
        using var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", "/bin/true");
        var timer = new DeadmanTimer(_directory, sidecar);
        timer.Unit("failed", "exit-code", status: 78);
        var home = $"{sidecar.State}-deadman";
        _directory.Write(Path.Combine(home, "last-good/of"), sidecar.ConfigFile);
        _directory.Write(Path.Combine(home, "last-good/sidecar.json"), File.ReadAllText(sidecar.ConfigFile).TrimEnd()[..^1] + $$""", "alerts": { "hooks": [ { "command": ["{{hook}}"] } ] } }""");
        await TestProgram.MustAsync("/bin/chown", "-R", Nobody, home);
        var config = File.ReadAllText(sidecar.ConfigFile);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => timer.PassAsync());

        Assert.Contains("ended with 78", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"root keeps and believes nothing in {home}: {home} belongs to nobody", refused.Message, StringComparison.Ordinal);
        Assert.Equal((config, false), (File.ReadAllText(sidecar.ConfigFile), File.Exists(_directory["pwned"])));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("in-place"), InlineData("swap")]
    public async Task An_address_book_that_is_a_link_has_nothing_of_the_daemons_removed(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method, settings: """{ "identity": { "contacts": { "path": "contacts.db" } } }""");
        var (victim, real) = (_directory.Write("victim", "of the daemon"), _directory["elsewhere/real.db"]);
        Directory.CreateDirectory(_directory["elsewhere"]);
        await TestProgram.MustAsync("/usr/bin/sqlite3", real, "CREATE TABLE contacts (name TEXT PRIMARY KEY); INSERT INTO contacts VALUES ('clara')");
        Plant(real, victim);
        File.Delete(Path.Combine(scene.Tree, "contacts.db"));
        File.CreateSymbolicLink(Path.Combine(scene.Tree, "contacts.db"), real);

        var (code, text) = await scene.RunAsync("contacts");

        Assert.True(File.Exists(victim));
        Assert.Equal(1, code);
        Assert.Contains("contacts.db is a symbolic link", text, StringComparison.Ordinal);
    }

    // A journal whose end names a super-journal: whoever takes it back removes that file.
    private static void Plant(string database, string victim)
    {
        byte[] magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7], name = System.Text.Encoding.UTF8.GetBytes(victim);
        var header = new byte[512];
        magic.CopyTo(header, 0);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(16), (int)(new FileInfo(database).Length / 4096));
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(20), 512);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(24), 4096);
        var numbers = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(numbers, name.Length);
        BinaryPrimitives.WriteInt32BigEndian(numbers.AsSpan(4), name.Sum(letter => letter));
        File.WriteAllBytes($"{database}-journal", [.. header, 0, 0, 0, 0, .. name, .. numbers, .. magic]);
    }
}
