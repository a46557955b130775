using System.Text.Json;
using System.Text.Json.Nodes;

namespace FleetSidecar.EndToEnd;

/// <summary>L21: which configuration the dead man's switch keeps, and how it puts it back. The built program; only systemctl is a script of the test.</summary>
public sealed class LastGoodTests : IDisposable
{
    private const UnixFileMode ForOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TempDir _directory = new();
    private readonly TestSidecar _sidecar;
    private readonly DeadmanTimer _timer;

    public LastGoodTests()
    {
        _sidecar = TestSidecar.Create(_directory, $"ws://127.0.0.1:{FreePort.Take()}/ws", "token-token", Scripts.Worker(_directory));
        _timer = new DeadmanTimer(_directory, _sidecar);
        _directory.Write("conf.d/50-more.json", """{ "log": { "level": "Information" } }""");
        _timer.Unit("active", "success", status: 0);
    }

    public void Dispose()
    {
        _sidecar.Dispose();
        _directory.Dispose();
    }

    private string Kept => _directory["iris-state-deadman/last-good/sidecar.json"];

    [Fact(Timeout = 120_000)]
    public async Task What_comes_back_has_the_owner_and_the_mode_that_it_had_when_all_was_well()
    {
        File.SetUnixFileMode(_sidecar.ConfigFile, ForOwner | UnixFileMode.GroupRead);
        await WellAsync();
        var good = await File.ReadAllTextAsync(_sidecar.ConfigFile);
        Die();
        await File.WriteAllTextAsync(_directory["new"], "{ not JSON");
        File.SetUnixFileMode(_directory["new"], ForOwner);
        File.Move(_directory["new"], _sidecar.ConfigFile, overwrite: true);

        Assert.Contains("the last good one takes its place", await ActAsync("--state", _sidecar.State), StringComparison.Ordinal);

        Assert.Equal(good, await File.ReadAllTextAsync(_sidecar.ConfigFile));
        Assert.Equal(ForOwner | UnixFileMode.GroupRead, File.GetUnixFileMode(_sidecar.ConfigFile));
        var bad = Assert.Single(Directory.GetFiles(_directory.Path, "iris.json.bad-*"));
        Assert.Equal((ForOwner, "{ not JSON"), (File.GetUnixFileMode(bad), await File.ReadAllTextAsync(bad)));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_file_that_only_root_can_read_is_wrong_although_root_can_read_it()
    {
        File.SetUnixFileMode(_sidecar.ConfigFile, ForOwner | UnixFileMode.GroupRead);
        await WellAsync();
        Die();
        _timer.Unit("failed", "exit-code", status: 78); // What a daemon says that may not read it.
        File.SetUnixFileMode(_sidecar.ConfigFile, ForOwner);

        Assert.Contains("the daemon ended with 78, and its files are not those with which it was well", await ActAsync(), StringComparison.Ordinal);

        Assert.Equal(ForOwner | UnixFileMode.GroupRead, File.GetUnixFileMode(_sidecar.ConfigFile));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_78_with_the_files_as_they_were_is_no_fault_of_theirs_and_nothing_is_moved()
    {
        await WellAsync();
        Die();
        _timer.Unit("failed", "exit-code", status: 78);

        Assert.Contains("DeadmanActed] fleet-test.service: the daemon is dead (failed, exit-code); restarted", await ActAsync(), StringComparison.Ordinal);

        Assert.Empty(Directory.GetFiles(_directory.Path, "*.bad-*"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_mode_that_the_daemon_never_read_the_file_with_is_not_kept()
    {
        File.SetUnixFileMode(_sidecar.ConfigFile, ForOwner | UnixFileMode.GroupRead);
        await WellAsync();
        File.SetUnixFileMode(_sidecar.ConfigFile, ForOwner); // Same text; the daemon runs on with what it read.

        Assert.Empty(await _timer.PassAsync());
        Assert.Equal(ForOwner | UnixFileMode.GroupRead, File.GetUnixFileMode(Kept));

        await _sidecar.CliAsync("reload"); // This one can read it.
        Assert.Empty(await _timer.PassAsync());
        Assert.Equal(ForOwner, File.GetUnixFileMode(Kept));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_file_that_is_not_the_daemons_is_never_overwritten_with_its_configuration()
    {
        await WellAsync();
        Die();
        var notes = _directory.Write("notes.txt", "my notes");

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["deadman", "--config", notes]);
        Assert.True(code == 64 && text.Contains("--unit", StringComparison.Ordinal), text);
        await TestProgram.RunAsync(TestProgram.Sidecar, ["deadman", "--config", notes, "--unit", DeadmanTimer.UnitName, "--state", _sidecar.State], new Dictionary<string, string?> { ["PATH"] = $"{_directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });
        _timer.Earlier(TimeSpan.FromHours(1));
        await TestProgram.RunAsync(TestProgram.Sidecar, ["deadman", "--config", notes, "--unit", DeadmanTimer.UnitName, "--state", _sidecar.State], new Dictionary<string, string?> { ["PATH"] = $"{_directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });

        Assert.Equal("my notes", await File.ReadAllTextAsync(notes));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_pause_holds_while_the_state_directory_is_being_moved()
    {
        await WellAsync();
        await _sidecar.CliAsync("pause", "--reason", "the disk is being moved");
        Assert.Empty(await _timer.PassAsync());
        Die();
        Directory.Move(_sidecar.State, _directory["moved"]);

        Assert.Contains("because this machine is paused", await _timer.PassAsync(), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("removed")]
    [InlineData("a directory")]
    [InlineData("a pipe")]
    [InlineData("a link to nowhere")]
    [InlineData("a pipe in conf.d")]
    public async Task Whatever_became_of_the_file_the_last_good_one_comes_back(string what)
    {
        await WellAsync();
        var good = await File.ReadAllTextAsync(_sidecar.ConfigFile);
        Die();
        var place = what.EndsWith("conf.d", StringComparison.Ordinal) ? _directory["conf.d/10-first.json"] : _sidecar.ConfigFile;
        File.Delete(place);
        _directory.Write("hub-token", "token-token\n"); // Beside the file, as setup leaves it.
        switch (what)
        {
            case "a directory": Directory.CreateDirectory(place); break;
            case "a pipe" or "a pipe in conf.d": await TestProgram.MustAsync("mkfifo", place); break;
            case "a link to nowhere": File.CreateSymbolicLink(place, "/nowhere"); break;
        }

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["run", "--config", _sidecar.ConfigFile]);
        Assert.True(code == 78 && text.Contains(place, StringComparison.Ordinal) && text.TrimEnd().Split('\n').Length <= 2, text);
        Assert.Contains("the last good one takes its place", await ActAsync("--state", _sidecar.State), StringComparison.Ordinal);

        Assert.Equal(good, await File.ReadAllTextAsync(_sidecar.ConfigFile));
        await _sidecar.StartAsync(waitForLink: false);
        await _sidecar.Program.WaitForLineAsync("Starting]");
    }

    [Fact(Timeout = 120_000)]
    public async Task A_machine_that_lost_configuration_and_token_was_taken_out_and_is_left_alone()
    {
        await WellAsync();
        Die();
        File.Delete(_sidecar.ConfigFile);
        File.Delete(_sidecar.TokenFile);

        Assert.Empty(await _timer.PassAsync("--state", _sidecar.State));
        _timer.Earlier(TimeSpan.FromHours(2));
        Assert.Empty(await _timer.PassAsync("--state", _sidecar.State));

        Assert.False(File.Exists(_sidecar.ConfigFile));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_configuration_that_nobody_has_put_in_force_yet_is_not_kept_and_after_a_reload_it_is()
    {
        await WellAsync();
        var before = await File.ReadAllTextAsync(Kept);
        var changed = JsonNode.Parse(before)!;
        changed["agent"]!["maxConcurrentRuns"] = 2;
        await File.WriteAllTextAsync(_sidecar.ConfigFile, changed.ToJsonString());

        Assert.Empty(await _timer.PassAsync());
        Assert.Equal(before, await File.ReadAllTextAsync(Kept));

        await _sidecar.CliAsync("reload");
        Assert.Empty(await _timer.PassAsync());
        Assert.Equal(changed.ToJsonString(), await File.ReadAllTextAsync(Kept));

        changed["stateDirectory"] = _directory["elsewhere"]; // Waits for a restart, so nobody knows yet whether it does.
        await File.WriteAllTextAsync(_sidecar.ConfigFile, changed.ToJsonString());
        await _sidecar.CliAsync("reload");
        Assert.Empty(await _timer.PassAsync("--state", _sidecar.State));
        Assert.DoesNotContain("elsewhere", await File.ReadAllTextAsync(Kept), StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Status_tells_what_the_switch_did_also_where_the_configuration_cannot_be_read()
    {
        await WellAsync();
        Die();
        Assert.Contains("DeadmanActed]", await ActAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(_sidecar.ConfigFile, $$"""{ "stateDirectory": "{{_sidecar.State}}", "hbu": {} }""");

        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["status", "--config", _sidecar.ConfigFile]);
        Assert.Equal(78, code);
        Assert.Contains("deadman   restarted", text, StringComparison.Ordinal);
        Assert.Contains("unknown key 'hbu'", text, StringComparison.Ordinal);

        var (_, json) = await TestProgram.RunAsync(TestProgram.Sidecar, ["status", "--json", "--config", _sidecar.ConfigFile]);
        Assert.Equal("dead", JsonDocument.Parse(json[json.IndexOf('{', StringComparison.Ordinal)..(json.LastIndexOf('}') + 1)]).RootElement.GetProperty("deadman").GetProperty("condition").GetString());
    }

    private async Task WellAsync()
    {
        await _sidecar.StartAsync(waitForLink: false);
        await Wait.UntilAsync(() => File.Exists(_directory["iris-state/alive"]), "the sign of life");
        Assert.Empty(await _timer.PassAsync());
        Assert.True(File.Exists(Kept));
    }

    private void Die()
    {
        _sidecar.Program.Kill();
        _timer.Unit("failed", "exit-code", status: 1);
    }

    private async Task<string> ActAsync(params string[] more)
    {
        Assert.Empty(await _timer.PassAsync(more));
        _timer.Earlier(TimeSpan.FromMinutes(1));
        return await _timer.PassAsync(more);
    }
}
