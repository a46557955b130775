namespace FleetSidecar.EndToEnd;

/// <summary>Our own files as nobody should find them: one clear line, and a daemon that lives.</summary>
public sealed class IdentityDamageTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("echo null > sealed/manifest.json", 78, "identity_not_sealed")]
    [InlineData("""echo '{"agent":null,"tree":"x","sealed_at_unix_ms":1,"files":[]}' > sealed/manifest.json""", 78, "identity_not_sealed")]
    [InlineData("""echo '{"agent":"iris","tree":"x","sealed_at_unix_ms":1,"files":[null]}' > sealed/manifest.json""", 78, "identity_not_sealed")]
    [InlineData("rm sealed/manifest.json; mkdir sealed/manifest.json", 78, "manifest.json is not a file")]
    [InlineData("mkdir journal; echo null > journal/plan.json", 1, "the journal")]
    [InlineData("mkdir -p journal/plan.json", 1, "the journal")]
    [InlineData("rm -f record.json; mkdir record.json", 78, "record.json is not a file")]
    [InlineData("echo x > backup", 78, "backup is not a directory")]
    [InlineData("rm -rf work; echo x > work", 78, "work is not a directory")]
    public async Task What_is_not_as_we_left_it_is_one_clear_line(string damage, int code, string why)
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Home}'; {damage}");
        var picture = scene.Picture();

        var (exit, text) = await scene.RunAsync("sync");

        Assert.Equal($"{code}: {text}", $"{exit}: {text}");
        Assert.Contains(why, Assert.Single(text.Split('\n')), StringComparison.Ordinal);
        Assert.Equal(picture, scene.Picture());
        using var daemon = TestProgram.Start(TestProgram.Sidecar, ["run", "--config", scene.ConfigFile]);
        await daemon.WaitForLineAsync("LinkDown]");
        Assert.True(daemon.IsRunning, daemon.Text);
        Assert.DoesNotContain("LoopDied", daemon.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("echo null > record.json")]
    [InlineData("echo '{}' > record.json")]
    [InlineData("""echo '{"events":null}' > record.json""")]
    [InlineData("""echo '{"events":[null]}' > record.json""")]
    [InlineData("echo x > record.json.4711.tmp")]
    public async Task A_spoilt_record_only_makes_the_next_sync_more_careful(string damage)
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Home}'; {damage}");

        await scene.MustAsync("sync");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Empty(Directory.GetFiles(scene.Home, "record.json.*.tmp"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Odd_names_are_shown_as_text_on_one_line()
    {
        var scene = await IdentityScene.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{scene.Seed}'; echo x > memory/café.md; echo x > $'memory/a\\n\\e[2Jb.md'");
        await scene.CommitAsync("Names");

        var said = await scene.MustAsync("sync");

        Assert.Contains("kept      memory/café.md:", said, StringComparison.Ordinal);
        Assert.Contains("kept      memory/a\\n\\u001b[2Jb.md:", said, StringComparison.Ordinal);
    }
}
